/** Raised when the sample changes, so that an older one is made anew. */
const sampleVersion = 3;

/** What the sample database holds. */
export interface Sample {
  events: number;
  /** The day that its rows end before, as 2026-11-21. */
  until: string;
}

/** What the sample database says of itself once it is whole. */
export function sampleMark({ events, until }: Sample): string {
  return `${markStart(events)}${until}`;
}

/** The day before which the sample ends that has this mark; null when that is not a sample of so many events. */
export function untilOfMark(mark: string | null, events: number): string | null {
  const until = mark?.startsWith(markStart(events)) ? mark.slice(markStart(events).length) : '';
  return /^\d{4}-\d\d-\d\d$/.test(until) ? until : null;
}

function markStart(events: number): string {
  return `Sample data of the Sluice demo, version ${sampleVersion}, ${events} events until `;
}

const organizations = 200;
const users = 5_000;
const orders = 20_000;
/** How many days back the first of each is: people do things in the last 15 months, so that any week has a year before. */
const organizationDays = 1_000;
const userDays = 640;
const activeDays = 460;
/** Rows a statement, so that progress shows and a signal is heeded. */
const batchRows = 100_000;

/** One step of filling the sample database. */
export interface SampleStep {
  title: string;
  sql: string;
}

/**
 * The steps in order. The rows are the same wherever they are made, but for the day that their times end before: each is
 * drawn from its number. Organizations come before their users, and users before what they do.
 */
export function sampleSteps({ events, until }: Sample): SampleStep[] {
  const count = (rows: number) => rows.toLocaleString('en-US');
  return [
    { title: 'tables', sql: tables(until) },
    { title: `${organizations} organizations`, sql: insertOrganizations },
    { title: `${count(users)} users`, sql: insertUsers },
    { title: `${count(orders)} orders`, sql: insertOrders },
    ...batches(events).map(([from, to]) => ({
      title: `${count(to)} of ${count(events)} events`,
      sql: insertEvents(from, to, events),
    })),
    { title: 'statistics', sql: 'ANALYZE organizations, users, orders, events' },
  ];
}

function batches(rows: number): [from: number, to: number][] {
  const count = Math.ceil(rows / batchRows);
  return Array.from({ length: count }, (_, batch) => [
    batch * batchRows + 1,
    Math.min(rows, (batch + 1) * batchRows),
  ]);
}

/**
 * chance(n, seed): from 0 to below 1, by PostgreSQL's own hash, which unlike random() knows no order of rows. ago(days):
 * that long before the sample's end. known(days): how many of the users were there by then, one at least.
 */
const tables = (until: string) => `
DROP TABLE IF EXISTS public.events, public.orders, public.users, public.organizations;
DROP TYPE IF EXISTS public.order_status;
CREATE FUNCTION pg_temp.chance(n bigint, seed bigint) RETURNS float8 IMMUTABLE LANGUAGE sql
  RETURN ((hashint8extended(n, seed) >> 11) & 9007199254740991)::float8 / 9007199254740992;
CREATE FUNCTION pg_temp.pick(n bigint, seed bigint, options text[]) RETURNS text IMMUTABLE LANGUAGE sql
  RETURN options[1 + floor(((hashint8extended(n, seed) >> 11) & 9007199254740991)::float8 / 9007199254740992
    * cardinality(options))::int];
CREATE FUNCTION pg_temp.ago(days float8) RETURNS timestamptz IMMUTABLE LANGUAGE sql
  RETURN timestamptz '${until} 00:00Z' - days * interval '24 hours';
CREATE FUNCTION pg_temp.known(days float8) RETURNS bigint IMMUTABLE LANGUAGE sql
  RETURN greatest(1, floor(${users} * (1 - days / ${userDays})) - 1)::bigint;
CREATE TYPE public.order_status AS ENUM ('pending', 'paid', 'shipped', 'refunded');
CREATE TABLE public.organizations (
  id bigint PRIMARY KEY, name text NOT NULL, plan text NOT NULL, country char(2) NOT NULL,
  seats integer NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE public.users (
  id bigint PRIMARY KEY, organization_id bigint NOT NULL REFERENCES public.organizations, email text NOT NULL UNIQUE,
  name text NOT NULL, plan text NOT NULL, active boolean NOT NULL, is_admin boolean NOT NULL, birthday date,
  properties jsonb NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE public.orders (
  id uuid PRIMARY KEY, user_id bigint NOT NULL REFERENCES public.users, status public.order_status NOT NULL,
  amount numeric(12, 2) NOT NULL, currency char(3) NOT NULL, tags text[] NOT NULL, note text, ordered_at timestamptz NOT NULL
);
CREATE TABLE public.events (
  id bigint PRIMARY KEY, user_id bigint NOT NULL, organization_id bigint NOT NULL, name text NOT NULL,
  at timestamptz NOT NULL, duration_ms integer, properties jsonb NOT NULL
);`;

const insertOrganizations = `
INSERT INTO public.organizations
SELECT n,
  pg_temp.pick(n, 1, '{Northern,Blue,Quiet,Rapid,Golden,Open,Bright,Steady}') || ' '
    || pg_temp.pick(n, 2, '{River,Harbor,Orchard,Signal,Forge,Meadow,Anchor,Lantern}') || ' '
    || pg_temp.pick(n, 3, '{GmbH,Ltd,"S.à r.l.",Inc,Oy,AB}'),
  CASE WHEN pg_temp.chance(n, 4) < 0.5 THEN 'free' WHEN pg_temp.chance(n, 4) < 0.85 THEN 'team' ELSE 'enterprise' END,
  pg_temp.pick(n, 5, '{DE,US,FR,JP,SE,GB,BR,IN}'),
  1 + floor(pg_temp.chance(n, 6) ^ 3 * 500)::int,
  pg_temp.ago(${organizationDays} - pg_temp.chance(n, 7) * ${organizationDays - userDays})
FROM generate_series(1, ${organizations}) AS n`;

const insertUsers = `
INSERT INTO public.users
SELECT n, organizations.id, 'user' || n || '@example.com',
  pg_temp.pick(n, 12, '{Ada,Grace,Linus,Zoë,Björn,Mei,Kwame,Inés,Olga,Ravi}') || ' '
    || pg_temp.pick(n, 13, '{Lovelace,Hopper,Ng,O''Neil,Müller,Sato,Mensah,García,Ivanova,Patel}'),
  organizations.plan, pg_temp.chance(n, 29) < 0.8, pg_temp.chance(n, 14) < 0.05,
  CASE WHEN pg_temp.chance(n, 15) < 0.7 THEN date '1960-01-01' + floor(pg_temp.chance(n, 16) * 16000)::int END,
  jsonb_build_object('theme', pg_temp.pick(n, 17, '{light,dark}'), 'logins', floor(pg_temp.chance(n, 18) * 900)::int),
  pg_temp.ago(${userDays} - (n - 1 + pg_temp.chance(n, 19)) / ${users} * ${userDays})
FROM generate_series(1, ${users}) AS n
JOIN public.organizations ON organizations.id = 1 + floor(pg_temp.chance(n, 11) * ${organizations})::bigint`;

/** Amounts are of the same worth in each currency, roughly. */
const insertOrders = `
INSERT INTO public.orders
SELECT md5('order ' || n)::uuid, 1 + floor(pg_temp.chance(n, 21) * pg_temp.known(days))::bigint,
  pg_temp.pick(n, 22, '{pending,paid,paid,paid,shipped,shipped,refunded}')::public.order_status,
  round(((5 + pg_temp.chance(n, 23) ^ 4 * 5000) * CASE currency WHEN 'JPY' THEN 160 WHEN 'SEK' THEN 11 ELSE 1 END)::numeric, 2),
  currency,
  CASE WHEN pg_temp.chance(n, 25) < 0.3 THEN ARRAY['gift'] WHEN pg_temp.chance(n, 25) < 0.4 THEN ARRAY['gift', 'express']
    ELSE '{}' END,
  CASE WHEN pg_temp.chance(n, 26) < 0.1 THEN E'Please ring twice.\\n"Thanks", ☕' END,
  pg_temp.ago(days)
FROM (
  SELECT n, ${activeDays} * (1 - pg_temp.chance(n, 27) ^ 0.8) AS days,
    pg_temp.pick(n, 24, '{EUR,EUR,USD,USD,JPY,SEK}') AS currency
  FROM generate_series(1, ${orders}) AS n
) AS drawn`;

/**
 * Later events have higher numbers, so that the number can be the cursor of an incremental sync. They come thicker by and
 * by, and most from those who have been there long.
 */
function insertEvents(from: number, to: number, events: number): string {
  return `
INSERT INTO public.events
SELECT n, user_id, 1 + floor(pg_temp.chance(user_id, 11) * ${organizations})::bigint, name, pg_temp.ago(days),
  CASE WHEN name = 'query_run' THEN 5 + floor(pg_temp.chance(n, 33) ^ 5 * 60000)::int END,
  jsonb_build_object('path', '/' || pg_temp.pick(n, 34, '{home,reports,settings,billing,team}'),
    'browser', pg_temp.pick(n, 35, '{firefox,chrome,safari}'))
FROM (
  SELECT n, days, 1 + floor(pg_temp.chance(n, 30) ^ 2 * pg_temp.known(days))::bigint AS user_id,
    pg_temp.pick(n, 31, '{page_viewed,page_viewed,page_viewed,page_viewed,report_opened,report_opened,query_run,report_shared,invite_sent}') AS name
  FROM (
    SELECT n, ${activeDays} * (1 - ((n - 1 + pg_temp.chance(n, 32)) / ${events}) ^ 0.8) AS days
    FROM generate_series(${from}, ${to}) AS n
  ) AS timed
) AS drawn`;
}
