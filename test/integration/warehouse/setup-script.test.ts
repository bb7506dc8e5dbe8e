import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import { setupScript } from '#catalog/setup-script.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';

let postgres: TestPostgresWarehouse;
/** Roles are the server's, which other tests share. */
const role = `script "role" ${newId()}`;
const password = "a 'password' of a test";

beforeAll(async () => {
  postgres = await openPostgresWarehouse();
});
afterAll(async () => {
  const quoted = `"${role.replaceAll('"', '""')}"`;
  await runScript(`DROP OWNED BY ${quoted} CASCADE; DROP ROLE ${quoted}`);
  await postgres[Symbol.asyncDispose]();
});

async function runScript(text: string): Promise<void> {
  const { host, port, database, username: user, password: owned } = postgres.server;
  const client = new Client({ host, port, database, user, password: owned });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

test('the set-up script of PostgreSQL makes a role that reads and writes what it says, and no more', async () => {
  const { server } = postgres;
  await runScript(`CREATE SCHEMA crm; CREATE TABLE crm.users AS SELECT 1 AS id; CREATE SCHEMA secret;
    CREATE TABLE secret.pay AS SELECT 1 AS id; CREATE SCHEMA made`);
  const script = setupScript('POSTGRES', {
    kind: 'MANAGED',
    database: server.database,
    role,
    readSchemas: ['crm'],
    writes: ['TRANSFORMATIONS'],
    writeSchemas: ['made'],
  });
  await expect(runScript(script)).rejects.toThrow(/syntax error at or near "<"/);
  await runScript(script.replace(/<[^>]+>/, `'${password.replaceAll("'", "''")}'`));
  await runScript('CREATE TABLE crm.later AS SELECT 2 AS id');

  await using scripted = await openPostgres({ ...server, username: role, password });
  const read = (table: string) => scripted.run({ sql: `SELECT id FROM ${table}` });
  expect([(await read('crm.users')).rows, (await read('crm.later')).rows]).toEqual([[[1]], [[2]]]);
  await expect(read('secret.pay')).rejects.toMatchObject({ code: 'BAD_USER_INPUT', message: /permission/ });
  const target = { database: server.database, name: 'few', kind: 'TABLE' } as const;
  const select = { sql: 'SELECT id FROM crm.users' };
  expect(await scripted.write({ ...target, schema: 'made' }, select)).toBe(1n);
  for (const schema of ['crm', 'other']) {
    await expect(scripted.write({ ...target, schema }, select)).rejects.toThrow(/permission/);
  }
});
