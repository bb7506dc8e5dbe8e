import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { serve, type Serving } from '#server/serve.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { eventually } from '../../support/gateway.ts';
import { warehouseStatementsDuring, warehouseStatementsOf } from '../../support/warehouse.ts';

type Member = Awaited<ReturnType<TestGraphql['signUp']>>;

let gql: TestGraphql;
let ada: Member;
beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
});
afterAll(() => gql[Symbol.asyncDispose]());

const people = '{ users { nodes { key name } totalCount } }';
const firms = '{ organizations { nodes { key } } }';

/** Runs a mutation with its input; fails when it has errors of any kind. */
async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { message } } }`;
  const payload = (await gql.ask(ada, query, { input }))[mutation];
  if (payload.userErrors.length > 0) throw new Error(JSON.stringify(payload.userErrors));
  return payload;
}

async function writeCsv(stream: string, text: string): Promise<void> {
  const folder = join(gql.filesRoot, 'shop');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${stream}.csv`), text);
}

/** A job that syncs one CSV file of the shop; what syncs it to its end. */
async function jobOf(stream: string, ends: { sourceId: string; destinationId: string }) {
  const streams = [{ name: stream, syncMode: 'FULL_REFRESH' }];
  const { job } = await run('createJob', { name: stream, ...ends, streams }, 'job { id }');
  return async () => {
    const { task } = await run('syncJob', { id: job.id }, 'task { id }');
    const query = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status error { message } } }';
    let last: Data;
    for await (const { data } of gql.follow(ada, query, { taskId: task.id })) last = data.taskUpdated;
    expect(last).toMatchObject({ status: 'SUCCEEDED' });
  };
}

describe('a sync', () => {
  test('drops the answers that read its table, and keeps those that read others, both ways', async () => {
    await writeCsv('users', 'id,name\n1,Ada\n2,Bob\n');
    await writeCsv('firms', 'id,name\na,Acme\n');
    const { source } = await run(
      'createSource',
      { name: 'shop', type: 'files', config: { path: 'shop' } },
      'source { id }',
    );
    const { destination } = await run(
      'createDestination',
      { name: 'here', type: 'datastore', config: {} },
      'destination { id }',
    );
    const ends = { sourceId: source.id, destinationId: destination.id };
    const [syncUsers, syncFirms] = [await jobOf('users', ends), await jobOf('firms', ends)];
    await syncUsers();
    await syncFirms();
    await mapEntity(gql, ada, { kind: 'USER', table: 'raw.users', key: 'id', name: 'name' });
    await mapEntity(gql, ada, { kind: 'ORGANIZATION', table: 'raw.firms', key: 'id', name: 'name' });
    const statementsFor = async (query: string) =>
      (await warehouseStatementsOf(() => gql.ask(ada, query))).length;
    expect(await statementsFor(people)).toBeGreaterThan(0);
    expect(await statementsFor(firms)).toBeGreaterThan(0);
    expect([await statementsFor(people), await statementsFor(firms)]).toEqual([0, 0]);

    await writeCsv('users', 'id,name\n1,Ada\n2,Bobby\n3,Cy\n');
    await syncUsers();
    expect(await statementsFor(firms)).toBe(0);
    const { users } = await gql.ask(ada, people);
    expect(users.totalCount).toBe(3);
    expect(users.nodes[1].name).toBe('Bobby');

    await writeCsv('firms', 'id,name\na,Acme\nb,Blue\n');
    await syncFirms();
    expect(await statementsFor(people)).toBe(0);
    expect((await gql.ask(ada, firms)).organizations.nodes).toHaveLength(2);
  });
});

describe('over HTTP', () => {
  let serving: Serving;
  let grace: Member;
  let headers: Record<string, string>;
  beforeAll(async () => {
    serving = await serve(gql.app, { host: '127.0.0.1', port: 0 });
    grace = await gql.signUp('grace');
    await fillWarehouse(gql, grace, [
      'CREATE SCHEMA raw',
      "CREATE TABLE raw.users AS SELECT range AS id, 'User ' || range AS name FROM range(3)",
    ]);
    await mapEntity(gql, grace, { kind: 'USER', table: 'raw.users', key: 'id', name: 'name' });
    const token = (
      await gql.ask(null, 'mutation ($input: LogInInput!) { logIn(input: $input) { token } }', {
        input: { username: 'grace', password: 'correct horse battery staple' },
      })
    ).logIn.token;
    headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  });
  afterAll(() => serving?.[Symbol.asyncDispose]());

  const stats = { 'sluice-warehouse-stats': '1' };
  async function ask(query: string, more: Record<string, string> = {}): Promise<Data> {
    const body = JSON.stringify({ query });
    const response = await fetch(`${serving.url}/graphql`, {
      method: 'POST',
      headers: { ...headers, ...more },
      body,
    });
    return await response.json();
  }

  test('an answer says what it cost the warehouse when its header asks for that, and else nothing', async () => {
    const query = '{ a: user(key: "1") { name } b: user(key: "2") { name } }';
    const first = await ask(query, stats);
    expect(first.extensions.warehouse).toEqual({
      statements: expect.any(Number),
      milliseconds: expect.any(Number),
      rows: 2,
      bytes: expect.any(Number),
      cache: { hit: 0, miss: first.extensions.warehouse.statements, shared: 0, stale: 0 },
    });
    expect(first.extensions.warehouse.statements).toBeGreaterThan(0);
    expect(first.extensions.warehouse.bytes).toBeGreaterThan(10);
    const second = await ask(query, stats);
    expect(second.extensions.warehouse).toMatchObject({ statements: 0, rows: 0, cache: { miss: 0 } });
    expect(second.data).toEqual(first.data);
    expect(await ask(query)).toEqual({ data: first.data });
  });

  test('a WebSocket is told with every answer when its connection asked for that', async () => {
    const client = createClient({
      url: `${serving.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: headers.authorization, ...stats },
    });
    for await (const answer of client.iterate({ query: '{ user(key: "0") { name } }' })) {
      expect(answer).toMatchObject({
        data: { user: { name: 'User 0' } },
        extensions: { warehouse: { statements: 1 } },
      });
    }
    await client.dispose();
  });

  test('500 equal questions at once are one statement', async () => {
    const query = '{ users(filter: { name: { contains: "user" } }) { nodes { key name } } }';
    const statements = await warehouseStatementsDuring(async () => {
      const answers = await Promise.all(Array.from({ length: 500 }, () => ask(query)));
      for (const { data } of answers) expect(data.users.nodes).toHaveLength(3);
    });
    expect(statements).toHaveLength(1);
  });

  test('a client that leaves stops the statements that only it waited for', async () => {
    await fillWarehouse(gql, grace, [
      'CREATE VIEW raw.slow AS SELECT n AS id FROM range(100000000000) r (n) WHERE n % 99999999999 = 3',
    ]);
    await mapEntity(gql, grace, { kind: 'ORGANIZATION', table: 'raw.slow', key: 'id' });
    // As many as the process runs at once, so that nothing else runs while these do.
    const all = Array.from(
      { length: 8 },
      (_, at) => `a${at}: organizations(first: ${at + 1}) { nodes { key } }`,
    );
    const leave = new AbortController();
    const body = JSON.stringify({ query: `{ ${all.join(' ')} }` });
    const asked = fetch(`${serving.url}/graphql`, { method: 'POST', headers, body, signal: leave.signal });
    asked.catch(() => undefined);
    const { warehouse } = await gql.app.catalog.datastores.open(grace.projectId);
    await eventually('all of them to run', () =>
      warehouse.run({ sql: 'SELECT 1' }, { deadlineMs: 100 }).then(
        () => undefined,
        () => true,
      ),
    );
    leave.abort();
    expect((await warehouse.run({ sql: 'SELECT 1' }, { deadlineMs: 5_000 })).rows).toEqual([[1]]);
  });

  test('a dead warehouse fails the fields that need it, and nothing else is lost', async () => {
    const { warehouse } = await gql.app.catalog.datastores.open(grace.projectId);
    await warehouse[Symbol.asyncDispose]();
    const answer = await ask(
      '{ a: user(key: "unknown") { name } b: jobs { totalCount } c: table(fqn: "warehouse.warehouse.raw.users") { name sample { rows } } d: user(key: "1") { key } }',
    );
    expect(answer.data).toMatchObject({ a: null, b: { totalCount: 0 }, c: { name: 'users', sample: null } });
    const failed = answer.errors.map((error: Data) => [error.path, error.extensions.code]);
    expect(failed).toContainEqual([['a'], 'WAREHOUSE_UNAVAILABLE']);
    expect(failed).toContainEqual([['c', 'sample'], 'WAREHOUSE_UNAVAILABLE']);
  });
});
