import type { GatewayClient } from '#cli/client.ts';
import { grouped } from '#cli/task-view.ts';
import type { DemoActiveUsersByPlanQuery } from '#generated/gql/graphql.ts';
import { activeUsersByPlan, metricsByMonth, organizationsWithEvents } from './data-documents.ts';
import { metrics } from './definitions.ts';
import type { Say } from './show.ts';
import { shownWidth, sqlText, tableText } from './table-text.ts';

const weeks = 6;
const months = 5;
const dayMs = 24 * 60 * 60 * 1000;

type Series = NonNullable<DemoActiveUsersByPlanQuery['metric']>['series'];

/** Asks what the sample can answer, in whole periods before the day that it ends before, and prints what comes back. */
export async function askQuestions(client: GatewayClient, until: string, say: Say): Promise<void> {
  const print = printer(say);
  await askActiveUsers(client, new Date(`${until}T00:00:00Z`), say, print);
  await askByMonth(client, new Date(`${until}T00:00:00Z`), say, print);
  await askOrganizations(client, say, print);
}

type Print = (columns: readonly string[], rows: readonly (readonly unknown[])[]) => void;

function printer(say: Say): Print {
  return (columns, rows) => {
    for (const line of tableText(columns, rows, shownWidth() - 2)) say(`  ${line}`);
  };
}

async function askActiveUsers(client: GatewayClient, until: Date, say: Say, print: Print): Promise<void> {
  say(
    '\nActive users a week by plan of their organization, and in the same week a year before (metric.series)',
  );
  const to = mondayBefore(until);
  const range = { from: new Date(to.getTime() - weeks * 7 * dayMs).toISOString(), to: to.toISOString() };
  const first = await timed(() => askSeries(client, range));
  printByPlan(first.value, print);
  const { sql, freshness } = first.value;
  const task = freshness.task;
  const by = task === null ? '' : ` by ${task.job ? `the job "${task.job.name}"` : task.kind.toLowerCase()}`;
  say(`  written at ${freshness.syncedAt}${by}; cache ${first.value.cache} in ${first.ms} ms`);
  const again = await timed(() => askSeries(client, range));
  say(`  asked once more: cache ${again.value.cache} in ${again.ms} ms`);
  say('\nThe statement behind it (metric.series.sql)');
  for (const line of sqlText(sql, shownWidth() - 2)) say(`  ${line}`);
}

async function askSeries(client: GatewayClient, range: { from: string; to: string }): Promise<Series> {
  const { metric } = await client.ask(activeUsersByPlan, range);
  if (metric === null) throw new Error('the metric is gone that was made right before');
  return metric.series;
}

/** One line a week; a plan has three columns. */
function printByPlan({ points }: Series, print: Print): void {
  const planOf = (point: Series['points'][number]) =>
    String((point.dimensions as Record<string, unknown>)['organization.plan']);
  const plans = [...new Set(points.map(planOf))].toSorted();
  const byWeek = Map.groupBy(points, ({ at }) => at.slice(0, 10));
  const rows = [...byWeek].map(([week, ofWeek]) => [
    week,
    ...plans.flatMap((plan) => {
      const point = ofWeek.find((each) => planOf(each) === plan);
      return [shown(point?.value), shown(point?.previousValue), percent(point?.change)];
    }),
  ]);
  print(['week', ...plans.flatMap((plan) => [plan, 'before', 'change'])], rows);
}

async function askByMonth(client: GatewayClient, until: Date, say: Say, print: Print): Promise<void> {
  say(`\n${metrics.length} metrics of all kinds by month (metricTable)`);
  const start = (back: number) =>
    new Date(Date.UTC(until.getUTCFullYear(), until.getUTCMonth() - back, 1)).toISOString();
  const asked = { metrics: metrics.map(({ name }) => name), from: start(months), to: start(0) };
  const { value, ms } = await timed(() => client.ask(metricsByMonth, asked));
  const { columns, rows, sql, cache, freshness } = value.metricTable;
  // Metrics as lines, months as columns: a terminal is not wide enough for the other way.
  const lines = columns
    .slice(1)
    .map(({ name }, column) => [name, ...rows.map((row) => shown(row[column + 1]))]);
  print(['metric', ...rows.map(([at]) => String(at).slice(0, 7))], lines);
  say(
    `  ${sql.length} statements, cache ${cache} in ${ms} ms; the oldest table was written at ${freshness.syncedAt}`,
  );
}

async function askOrganizations(client: GatewayClient, say: Say, print: Print): Promise<void> {
  say('\nOrganizations with counts and their newest event, one statement a field (organizations)');
  const { organizations } = await client.ask(organizationsWithEvents, {});
  const rows = organizations.nodes.map(({ name, userCount, eventCount, events }) => {
    const [last] = events.nodes;
    return [name, shown(userCount), shown(eventCount), last?.name, last?.user?.name, last?.at.slice(0, 10)];
  });
  print(['organization', 'users', 'events', 'newest event', 'by', 'at'], rows);
}

async function timed<T>(ask: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  const value = await ask();
  return { value, ms: Math.round(performance.now() - startedAt) };
}

function mondayBefore(day: Date): Date {
  return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * dayMs);
}

/** Whole numbers in groups of three, others with as many digits as tell something. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return '–';
  const number = Number(value);
  if (Number.isInteger(number) || Math.abs(number) >= 1000) return grouped(number);
  return number.toFixed(Math.abs(number) < 1 ? 3 : 1);
}

function percent(change: number | null | undefined): string {
  if (change === null || change === undefined) return '–';
  return `${change < 0 ? '' : '+'}${Math.round(change * 100)}%`;
}
