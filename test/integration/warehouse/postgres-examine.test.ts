import { expect, test } from 'vitest';
import type { AppError } from '#base/errors.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import type { Examination } from '#warehouse/warehouse.ts';
import { openPostgresWarehouse } from '../../support/postgres-warehouse.ts';

/** A database with two schemas of tables, and a role that was granted nothing but to connect. */
async function open() {
  await using opening = new AsyncDisposableStack();
  const far = opening.use(await openPostgresWarehouse());
  const { database } = far.server;
  const role = `examined_${database}`;
  await far.load([
    `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
    `REVOKE ALL ON DATABASE "${database}" FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE "${database}" TO ${role}`,
    'CREATE SCHEMA shop',
    'CREATE SCHEMA "Odd ""one"',
    'CREATE TABLE shop.orders (id int8)',
    'CREATE TABLE shop.users (id int8)',
    'CREATE VIEW "Odd ""one".big AS SELECT * FROM shop.orders',
  ]);
  const all = opening.move();
  return {
    ...far,
    role,
    database,
    async examine(schema?: string): Promise<Examination> {
      const server = { ...far.server, username: role, password: 'secret' };
      await using warehouse = await openPostgres(schema === undefined ? server : { ...server, schema });
      return await warehouse.examine();
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

test('each grant that reading lacks is named with the statement that brings it, until there is none', async () => {
  await using lab = await open();
  const { role, database } = lab;
  const [temporary, schema, tables] = (await lab.examine('shop')).lacks;
  expect(temporary).toEqual({
    path: ['username'],
    message: `The role "${role}" may make no temporary views in the database "${database}", with which every SELECT is looked at.`,
    fix: `GRANT TEMPORARY ON DATABASE "${database}" TO "${role}";`,
  });
  expect(schema).toEqual({
    path: ['schema'],
    message: `The role "${role}" has no USAGE on the schema "shop".`,
    fix: `GRANT USAGE ON SCHEMA "shop" TO "${role}";`,
  });
  expect(tables).toEqual({
    path: ['username'],
    message: `The role "${role}" may SELECT from none of the 3 tables and views: Odd "one.big, shop.orders, shop.users.`,
    fix: [
      `GRANT USAGE ON SCHEMA "Odd ""one" TO "${role}"; GRANT SELECT ON ALL TABLES IN SCHEMA "Odd ""one" TO "${role}";`,
      `GRANT USAGE ON SCHEMA "shop" TO "${role}"; GRANT SELECT ON ALL TABLES IN SCHEMA "shop" TO "${role}";`,
    ].join(' '),
  });
  await lab.load([temporary!.fix, schema!.fix, tables!.fix]);
  expect(await lab.examine('shop')).toEqual({
    lacks: [],
    note: `The role "${role}" may read and not write: jobs and transformations that write there need GRANT CREATE ON DATABASE "${database}" TO "${role}";`,
  });
  await using warehouse = await openPostgres({ ...lab.server, username: role, password: 'secret' });
  const { reads } = await warehouse.describe('SELECT * FROM "Odd ""one".big');
  expect(reads.map(({ name }) => name).toSorted()).toEqual(['big', 'orders']);
});

test('tables that are kept from the role beside others, and schemas that it may not write to, are noted', async () => {
  await using lab = await open();
  const { role, database } = lab;
  await lab.load([
    `GRANT TEMPORARY ON DATABASE "${database}" TO ${role}`,
    `GRANT USAGE, CREATE ON SCHEMA shop TO ${role}`,
    `GRANT SELECT (id) ON shop.orders TO ${role}`,
    'CREATE SCHEMA _sluice',
  ]);
  const { lacks, note } = await lab.examine();
  expect(lacks).toEqual([]);
  expect(note).toContain(
    `may not SELECT from 2 of 3 tables and views: Odd "one.big, shop.users; GRANT USAGE ON SCHEMA "Odd ""one"`,
  );
  const own = `GRANT USAGE, CREATE ON SCHEMA _sluice TO "${role}";`;
  expect(note).toContain(
    `may make no tables in the schema _sluice, which jobs need to write there and to compare rows: ${own}`,
  );
  await lab.load([own]);
  expect((await lab.examine()).note).not.toContain('_sluice');
});

test('whoever owns the database lacks nothing, and an empty one is said to be empty', async () => {
  await using far = await openPostgresWarehouse();
  const empty = `The database "${far.server.database}" has no tables or views yet.`;
  expect(await far.warehouse.examine()).toEqual({ lacks: [], note: empty });
  await far.load(['CREATE TABLE public.t (id int8)']);
  expect(await far.warehouse.examine()).toEqual({ lacks: [], note: null });
});

test('a statement that lacks a grant is told which', async () => {
  await using lab = await open();
  const { role, database } = lab;
  await using warehouse = await openPostgres({ ...lab.server, username: role, password: 'secret' });
  const refused = async (work: () => Promise<unknown>) => {
    const error = await work().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'BAD_USER_INPUT' });
    return (error as AppError).fix;
  };
  const read = () => warehouse.run({ sql: 'SELECT * FROM shop.orders' });
  const target = { database, schema: 'made', name: 't', kind: 'TABLE' } as const;
  const write = (schema: string) => () => warehouse.write({ ...target, schema }, { sql: 'SELECT 1 AS a' });
  const user = 'to the user of the datastore.';
  const usage = `GRANT USAGE ON SCHEMA "shop", and CREATE where tables are to be made there, ${user}`;
  expect(await refused(read)).toBe(usage);
  expect(await refused(() => warehouse.describe('SELECT 1 AS a'))).toBe(
    `GRANT TEMPORARY ON DATABASE "${database}" ${user}`,
  );
  expect(await refused(write('made'))).toBe(`GRANT CREATE ON DATABASE "${database}" ${user}`);
  await lab.load([`GRANT USAGE ON SCHEMA shop TO ${role}`]);
  expect(await refused(read)).toBe(`GRANT SELECT ON "orders" ${user}`);
  expect(await refused(write('shop'))).toBe(usage);
});
