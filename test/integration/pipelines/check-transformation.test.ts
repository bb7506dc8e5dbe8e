import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '#base/errors.ts';
import { problemsOf } from '../../support/pipelines.ts';
import { openTransformations } from './open-transformations.ts';

const target = { schema: 'made', table: 'daily' };
const daily = { name: 'daily', sql: 'SELECT id FROM raw.orders', target };

/** The first problem that the call fails with, in words. */
async function messageOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof InputError)) throw new Error('no InputError', { cause: error });
  return error.problems[0]?.message ?? '';
}

test('every problem that needs no engine comes at once', async () => {
  await using all = await openTransformations();
  const schedule = { cron: 'x', timeZone: 'y' };
  expect(await problemsOf(all.upsert({ name: ' ', schedule }))).toEqual([
    'REQUIRED name',
    'INVALID schedule.timeZone',
    'INVALID schedule.cron',
    'REQUIRED sql',
    'REQUIRED target',
  ]);
  const formula = { entity: 'USER' as const, columns: [] };
  const reserved = { schema: '_sluice', table: '_sluice_x' };
  expect(await problemsOf(all.upsert({ ...daily, formula, target: reserved }))).toEqual([
    'INVALID formula',
    'INVALID formula.columns',
    'INVALID target.schema',
    'INVALID target.table',
  ]);
  expect(await problemsOf(all.upsert({}))).toEqual(['REQUIRED name']);
});

test('a SELECT that the engine refuses is refused in its words, and so is all that is no single SELECT', async () => {
  await using all = await openTransformations();
  const wrong = (sql: string) => messageOf(all.upsert({ ...daily, sql }));
  expect(await wrong('SELECT nope FROM raw.orders')).toContain('Referenced column "nope" not found');
  expect(await wrong('SELECT 1 FROM raw.nothing')).toBe(
    'The SELECT reads "raw.nothing", which is no table or view.',
  );
  const wide = Array.from({ length: 4_001 }, (_, at) => `1 AS c${at}`).join(', ');
  expect(await wrong(`SELECT ${wide}`)).toContain('4001 columns');
  expect(await wrong('SELECT id FROM raw.orders; DROP TABLE raw.orders')).toContain('exactly one');
  expect(await wrong('DROP TABLE raw.orders')).toContain('Only a SELECT');
  expect(await wrong('SELECT id FROM raw.orders WHERE id = ?')).toContain('parameter');
  expect(await wrong('SELECT id, id + 1 AS ID FROM raw.orders')).toBe(
    'Two columns are named "ID": a table tells its columns apart by name.',
  );
  expect(await problemsOf(all.upsert({ ...daily, sql: 'SELECT' }))).toEqual(['INVALID sql']);
  expect(await all.sql('SELECT count(*) FROM raw.orders')).toEqual([[3n]]);
});

test('a SELECT reads tables and views, and no file that syncs of whatever project may read', async () => {
  await using all = await openTransformations();
  const file = join(all.deps.filesRoot, 'secret.csv');
  await writeFile(file, 'a,b\n1,2\n');
  expect(await all.sql(`SELECT a FROM '${file}'`)).toEqual([[1n]]);
  for (const from of [
    `read_csv('${file}')`,
    `main.read_text('${file}')`,
    `'${file}'`,
    `"${file}"`,
    `(SUMMARIZE '${file}')`,
    // DuckDB joins the parts of a name before it takes it for a file.
    `"${file.slice(0, -'.csv'.length)}".csv`,
    `raw.orders POSITIONAL JOIN "${all.deps.filesRoot}/*"."csv"`,
    'secret.csv',
    '(SHOW TABLES)',
    'pg_settings',
    'information_schema.tables',
    'pragma_database_list',
    `(SELECT * FROM raw.orders WHERE id IN (SELECT a FROM '${file}'))`,
    `glob('${all.deps.filesRoot}/*')`,
    `query('SELECT * FROM ''${file}''')`,
    'duckdb_settings()',
    'checkpoint()',
  ]) {
    const problems = await messageOf(all.upsert({ ...daily, sql: `SELECT * FROM ${from}` }));
    expect(problems, from).toMatch(/may not read from|may not hold|is no table or view/);
  }
  for (const value of [
    "current_setting('temp_directory')",
    `json_serialize_plan('SELECT * FROM ''${file}''')`,
    "main.NextVal('raw.ids')",
    "max(id) FILTER (write_log('x') IS NULL)",
  ]) {
    const problems = await messageOf(all.upsert({ ...daily, sql: `SELECT ${value} AS v FROM raw.orders` }));
    expect(problems, value).toMatch(/may not call/);
  }
  const cte = `WITH "x.csv" AS (SELECT id FROM raw.orders) SELECT * FROM "x.csv", range(2) AS r, unnest([1]) AS u`;
  await all.upsert({ ...daily, sql: cte });
});

test('a table that the catalog did not know is taken into it, and the engine its own is refused', async () => {
  await using all = await openTransformations();
  const { db } = all.deps.store;
  expect(await db.catalogTable.count()).toBe(0);
  await all.upsert(daily);
  expect(await db.catalogTable.findMany({ select: { schema: true, name: true } })).toEqual([
    { schema: 'raw', name: 'orders' },
  ]);
  await all.sql('CREATE SCHEMA _sluice', 'CREATE TABLE _sluice.parts AS SELECT 1 AS id');
  expect(await messageOf(all.upsert({ ...daily, sql: 'SELECT id FROM _sluice.parts' }))).toContain(
    "_sluice.parts is the engine's own",
  );
});

test('what a view reads is known whatever its name says', async () => {
  await using all = await openTransformations();
  const odd = '"x AS SELECT 1 --"';
  await all.sql(
    'CREATE SCHEMA made',
    'CREATE VIEW made.inner_view AS SELECT id FROM raw.orders',
    `CREATE VIEW made.${odd} AS SELECT id FROM made.inner_view`,
  );
  await all.upsert({ ...daily, sql: `SELECT id FROM made.${odd}` });
  const inputs = await all.deps.store.db.transformationInput.findMany({
    select: { table: { select: { name: true } } },
  });
  expect(inputs.map(({ table }) => table.name).toSorted()).toEqual([
    'inner_view',
    'orders',
    'x AS SELECT 1 --',
  ]);
});

test('transformations cannot be made of each other, and the way round is named', async () => {
  await using all = await openTransformations();
  expect(await messageOf(all.upsert({ ...daily, target: { schema: 'RAW', table: 'Orders' } }))).toBe(
    'The transformation would read what it writes itself, RAW.Orders.',
  );
  await all.run(await all.upsert({ ...daily, name: 'a', target: { schema: 'made', table: 'a' } }));
  const b = { name: 'b', sql: 'SELECT id FROM made.a', target: { schema: 'made', table: 'b' } };
  await all.run(await all.upsert(b));
  await all.run(
    await all.upsert({ name: 'c', sql: 'SELECT id FROM made.b', target: { schema: 'made', table: 'c' } }),
  );
  const round = all.upsert({ name: 'a', sql: 'SELECT c.id FROM made.c' });
  expect(await messageOf(round)).toBe(
    'The transformations would be made of each other: "a" → "b" → "c" → "a".',
  );
  await all.upsert({ name: 'a', sql: 'SELECT id + 1 AS id FROM raw.orders' });
});

test('a table is written by one transformation or job: the one that does is named', async () => {
  await using all = await openTransformations();
  await all.upsert(daily);
  const other = { ...daily, name: 'other', target: { schema: 'MADE', table: 'Daily' } };
  expect(await problemsOf(all.upsert(other))).toEqual(['IN_USE target']);
  expect(await messageOf(all.upsert(other))).toBe(
    'The table MADE.Daily is written by the transformation "daily".',
  );
  await all.job('users');
  const overJob = { ...daily, name: 'other', target: { schema: 'raw', table: 'users' } };
  expect(await problemsOf(all.upsert(overJob))).toEqual(['IN_USE target']);
  expect(await messageOf(all.upsert(overJob))).toBe(
    'The table raw.users is written by the job "daily sync".',
  );
});

test('a job cannot be made to write the table of a transformation', async () => {
  await using all = await openTransformations();
  await all.upsert({ ...daily, target: { schema: 'Raw', table: 'Users' } });
  expect(await problemsOf(all.job('visits', 'users'))).toEqual(['IN_USE streams.1.destinationTable']);
});

test('of two that would write one table at once, one goes through', async () => {
  await using all = await openTransformations();
  const both = await Promise.allSettled(['x', 'y'].map((name) => all.upsert({ ...daily, name })));
  expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('a table does not become a view, nor a view a table', async () => {
  await using all = await openTransformations();
  await all.run(await all.upsert(daily));
  expect(await messageOf(all.upsert({ name: 'daily', target: { ...target, kind: 'VIEW' } }))).toBe(
    'made.daily is a TABLE already, and cannot become a VIEW.',
  );
});

test('what an update leaves out stays, its engine is asked only when it has to be, and revisions count', async () => {
  await using all = await openTransformations();
  const made = await all.upsert({ ...daily, description: 'all of them', schedule: { cron: '@daily' } });
  await all.sql('DROP TABLE raw.orders');
  const off = await all.upsert({ id: made.id, name: 'renamed', active: false });
  expect(off).toMatchObject({
    id: made.id,
    name: 'renamed',
    description: 'all of them',
    sql: daily.sql,
    cron: '@daily',
    nextRunAt: null,
    revision: 2,
  });
  expect(await all.upsert({ id: made.id, description: null, schedule: null })).toMatchObject({
    description: null,
    cron: null,
    revision: 3,
  });
  expect(await problemsOf(all.upsert({ name: 'renamed', active: true, expectedRevision: 2 }))).toEqual([
    'CONFLICT expectedRevision',
  ]);
  await all.sql('CREATE TABLE raw.orders AS SELECT 1 AS id');
  expect(await problemsOf(all.upsert({ ...daily, expectedRevision: 1 }))).toEqual([
    'CONFLICT expectedRevision',
  ]);
  const other = await all.upsert({ ...daily, target: { schema: 'made', table: 'other' } });
  expect(await problemsOf(all.upsert({ id: other.id, name: 'renamed' }))).toEqual(['NOT_UNIQUE name']);
});

test('an idempotency key makes one transformation', async () => {
  await using all = await openTransformations();
  const first = await all.upsert({ ...daily, idempotencyKey: 'k' });
  expect(await all.upsert({ ...daily, idempotencyKey: 'k' })).toMatchObject({ id: first.id, revision: 1 });
  expect(await problemsOf(all.upsert({ ...daily, description: 'x', idempotencyKey: 'k' }))).toEqual([
    'IDEMPOTENCY_KEY_REUSED idempotencyKey',
  ]);
});
