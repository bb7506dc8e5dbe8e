import type {
  CreateMetricInput,
  CreateSignalInput,
  MapEntityInput,
  UpsertTransformationInput,
} from '#generated/gql/graphql.ts';

/** Which of the sample's tables hold what, and in which columns. */
export const mappings: MapEntityInput[] = [
  {
    kind: 'USER',
    table: 'raw.users',
    key: 'id',
    name: 'name',
    email: 'email',
    createdAt: 'created_at',
    organizationKey: 'organization_id',
    propertiesColumn: 'properties',
  },
  {
    kind: 'ORGANIZATION',
    table: 'raw.organizations',
    key: 'id',
    name: 'name',
    createdAt: 'created_at',
  },
  {
    kind: 'EVENT',
    table: 'raw.events',
    key: 'id',
    name: 'name',
    at: 'at',
    userKey: 'user_id',
    organizationKey: 'organization_id',
    propertiesColumn: 'properties',
  },
];

/** Reads tables that both jobs write. DuckDB and PostgreSQL understand it alike. */
export const transformation = {
  name: 'revenue by month',
  description: 'What organizations paid in each month, in euros at the last known rates.',
  target: { schema: 'marts', table: 'revenue_by_month' },
  runAfterInputs: true,
  sql: `
SELECT date_trunc('month', o.ordered_at) AS month, g.id AS organization_id, g.name AS organization, g.plan,
  count(*) AS orders, sum(o.amount / coalesce(r.per_euro, 1))::decimal(18, 2) AS revenue
FROM raw.orders o
JOIN raw.users u ON u.id = o.user_id
JOIN raw.organizations g ON g.id = u.organization_id
LEFT JOIN (SELECT DISTINCT ON (currency) currency, per_euro FROM raw.exchange_rates ORDER BY currency, day DESC) r
  ON r.currency = o.currency
WHERE o.status IN ('paid', 'shipped')
GROUP BY 1, 2, 3, 4`.trim(),
} satisfies UpsertTransformationInput;

const revenueTable = 'marts.revenue_by_month';

/** One of each kind and some more, each after those that it is made of. */
export const metrics: CreateMetricInput[] = [
  {
    name: 'active_users',
    title: 'Active users',
    description: 'Users who did anything.',
    definition: {
      simple: { entity: 'EVENT', measure: { aggregation: 'COUNT_DISTINCT', column: 'userKey' } },
    },
  },
  {
    name: 'events',
    title: 'Events',
    definition: { simple: { entity: 'EVENT', measure: { aggregation: 'COUNT' } } },
  },
  {
    name: 'signups',
    title: 'Sign-ups',
    definition: { simple: { entity: 'USER', measure: { aggregation: 'COUNT' } } },
  },
  {
    name: 'orders',
    title: 'Orders paid',
    definition: {
      simple: { table: revenueTable, time: 'month', measure: { aggregation: 'SUM', column: 'orders' } },
    },
  },
  {
    name: 'revenue',
    title: 'Revenue in euros',
    definition: {
      simple: { table: revenueTable, time: 'month', measure: { aggregation: 'SUM', column: 'revenue' } },
    },
  },
  {
    name: 'order_value',
    title: 'Revenue per order',
    definition: { ratio: { numerator: 'revenue', denominator: 'orders' } },
  },
  {
    name: 'events_per_user',
    title: 'Events per active user',
    definition: { derived: { expression: 'events / active_users' } },
  },
  {
    name: 'revenue_this_year',
    title: 'Revenue since January',
    definition: { cumulative: { metric: 'revenue', resetGrain: 'YEAR' } },
  },
  {
    name: 'active_28_days',
    title: 'Active users of the last 28 days',
    definition: { cumulative: { metric: 'active_users', windowCount: 28, windowGrain: 'DAY' } },
  },
  {
    name: 'reports_shared',
    title: 'Users who share a report within 7 days of opening one',
    definition: {
      conversion: {
        first: { name: { eq: 'report_opened' } },
        second: { name: { eq: 'report_shared' } },
        windowCount: 7,
        windowGrain: 'DAY',
      },
    },
  },
];

/** Watches the metric named here. */
export const signal = {
  name: 'active users fall',
  metric: 'active_users',
  operator: 'LT',
  measure: 'CHANGE_PERCENT',
  threshold: -20,
  grain: 'WEEK',
} as const satisfies Omit<CreateSignalInput, 'metricId'> & { metric: string };
