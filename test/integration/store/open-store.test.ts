import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '#base/log.ts';
import { connect } from '#store/connect.ts';
import { openStore, type Store } from '#store/open-store.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { until } from './store-process.ts';

const lines: string[] = [];
const log = createLog('debug', (line) => lines.push(line));
let database: TestDatabase;
let home: string;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  home = await mkdtemp(path.join(tmpdir(), 'home-'));
  store = await openStore({ databaseUrl: database.url, home, role: 'serve', log });
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** Ends the connections of that application_name, as an administrator or a failing network does. */
async function cut(name: string): Promise<number> {
  const { rowCount } = await store.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`,
    [name],
  );
  return rowCount ?? 0;
}

test('a notice reaches every listener of its channel, and no other, until it has left', async () => {
  const heard: string[] = [];
  const one = await store.listen('weather', (payload) => heard.push(`one ${payload}`));
  await using others = new AsyncDisposableStack();
  others.use(await store.listen('weather', (payload) => heard.push(`two ${payload}`)));
  others.use(await store.listen('Other "channel"', (payload) => heard.push(`other ${payload}`)));
  await store.pool.query(`SELECT pg_notify('weather', 'rain'), pg_notify('Other "channel"', '')`);
  await until('all three are told', () => heard.length === 3);
  await one[Symbol.asyncDispose]();
  await store.pool.query(`SELECT pg_notify('weather', 'sun')`);
  await until('the one that is left is told', () => heard.length === 4);
  expect(heard).toEqual(['one rain', 'two rain', 'other ', 'two sun']);
});

test('a listener that leaves while another comes to the same channel does not silence it', async () => {
  const heard: string[] = [];
  const first = await store.listen('relay', () => {});
  const [second] = await Promise.all([
    store.listen('relay', (payload) => heard.push(payload)),
    first[Symbol.asyncDispose](),
  ]);
  await store.pool.query(`SELECT pg_notify('relay', 'baton')`);
  await until('the second is told', () => heard.length > 0);
  expect(heard).toEqual(['baton']);
  await second[Symbol.asyncDispose]();
});

test('when the connection that listens is lost, listeners hear that they may have missed something, and then the rest', async () => {
  const heard: string[] = [];
  await using joined = new AsyncDisposableStack();
  joined.use(
    await store.listen(
      'news',
      (payload) => heard.push(payload),
      () => heard.push('RECONNECTED'),
    ),
  );
  expect(await cut('sluice serve listen')).toBe(1);
  await until('it is listened again', () => heard.includes('RECONNECTED'));
  await store.pool.query(`SELECT pg_notify('news', 'after')`);
  await until('the notice arrives', () => heard.length === 2);
  expect(heard).toEqual(['RECONNECTED', 'after']);
});

test('a channel that is joined while the connection is lost is listened to once it is back', async () => {
  const heard: string[] = [];
  await using joined = new AsyncDisposableStack();
  joined.use(await store.listen('early', () => {}));
  await cut('sluice serve listen');
  joined.use(await store.listen('late', (payload) => heard.push(payload)));
  await until('a notice arrives', async () => {
    await store.pool.query(`SELECT pg_notify('late', 'x')`);
    return heard.length > 0;
  });
  expect(heard).toContain('x');
});

test('a home is served by one process, and a lock lost with its connection is said and taken again', async () => {
  const again = () => openStore({ databaseUrl: database.url, home, role: 'serve', log });
  const taken = { code: 'CONFLICT', message: expect.stringContaining(`(process ${process.pid})`) };
  await expect(again()).rejects.toMatchObject(taken);
  lines.length = 0;
  expect(await cut(`sluice serve pid ${process.pid}`)).toBeGreaterThan(0);
  await until('it is back', () => lines.some((line) => line.includes('is back')));
  expect(lines[0]).toContain('was lost');
  await expect(again()).rejects.toMatchObject(taken);
});

test('a connection that is lost while it is borrowed fails its borrower, and never the process', async () => {
  const borrowed = await store.pool.connect();
  const { rows } = await borrowed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await store.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  const lost = async () => (await borrowed.query('SELECT 1').catch((error: Error) => error)) instanceof Error;
  await until('the borrower notices', lost);
  borrowed.release(true);
  expect((await store.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('a listener that throws harms neither the others nor the process, and is logged', async () => {
  const heard: string[] = [];
  await using joined = new AsyncDisposableStack();
  joined.use(
    await store.listen('storm', () => {
      throw new Error('out of my depth');
    }),
  );
  joined.use(await store.listen('storm', (payload) => heard.push(payload)));
  await store.pool.query(`SELECT pg_notify('storm', 'thunder')`);
  await until('the other is told', () => heard.length > 0);
  expect(lines.join('')).toContain('out of my depth');
});

test('another home, and a worker of the same one, share the database', async () => {
  const other = await mkdtemp(path.join(tmpdir(), 'home-'));
  await using second = await openStore({ databaseUrl: database.url, home: other, role: 'serve', log });
  await using worker = await openStore({ databaseUrl: database.url, home, role: 'worker', log });
  expect(worker.homeId).toBe(store.homeId);
  expect(second.homeId).not.toBe(store.homeId);
  await rm(other, { recursive: true });
});

test('only one task of a job may be live, and a name is free again once its holder is deleted', async () => {
  const { rows } = await store.pool.query<{ indexdef: string }>(
    `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%WHERE%' ORDER BY indexname`,
  );
  expect(rows.map((row) => row.indexdef.replace(/^CREATE UNIQUE INDEX \w+ ON public\./, '')))
    .toMatchInlineSnapshot(`
      [
        "datastore USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "datastore USING btree (project_id, role) WHERE (is_default AND (deleted_at IS NULL))",
        "destination USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "endpoint USING btree (project_id, name, version) WHERE (deleted_at IS NULL)",
        "endpoint USING btree (route, version) WHERE ((deleted_at IS NULL) AND (state <> 'DRAFT'::"EndpointState") AND is_public)",
        "endpoint USING btree (project_id, route, version) WHERE ((deleted_at IS NULL) AND (state <> 'DRAFT'::"EndpointState"))",
        "job USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "metric USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "signal USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "source USING btree (project_id, name) WHERE (deleted_at IS NULL)",
        "table_feed USING btree (table_id, job_id, stream) WHERE (job_id IS NOT NULL)",
        "table_feed USING btree (table_id, transformation_id) WHERE (transformation_id IS NOT NULL)",
        "task USING btree (job_id) WHERE (status = ANY (ARRAY['QUEUED'::"TaskStatus", 'RUNNING'::"TaskStatus", 'CANCELING'::"TaskStatus"]))",
        "task USING btree (transformation_id) WHERE (status = ANY (ARRAY['QUEUED'::"TaskStatus", 'RUNNING'::"TaskStatus", 'CANCELING'::"TaskStatus"]))",
        "transformation USING btree (project_id, name) WHERE (deleted_at IS NULL)",
      ]
    `);
});

test('closing ends within seconds although somebody still holds a connection, and then nothing can listen', async () => {
  const own = await createTestDatabase();
  const closing = await openStore({ databaseUrl: own.url, home, role: 'worker', log });
  const held = await closing.pool.connect();
  held.on('error', () => {});
  const startedAt = performance.now();
  await closing[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  await expect(closing.listen('late', () => {})).rejects.toThrow('The store is closed');
  held.release(true);
  await own[Symbol.asyncDispose]();
});

test('each thing that keeps a DATABASE_URL from working has its own message, without the password', async () => {
  const failureOf = async (change: (url: URL) => void) => {
    const url = new URL(database.url);
    change(url);
    const error = await openStore({ databaseUrl: url.toString(), home, role: 'worker', log }).catch(
      (thrown: Error) => thrown,
    );
    if (!(error instanceof Error)) throw new Error('it opened');
    expect(`${error.message} ${(error as { fix?: string }).fix}`).not.toContain(
      new URL(database.url).password,
    );
    return error.message;
  };
  expect(await failureOf((url) => (url.password = 'wrong-one'))).toContain('refuses the user "sluice"');
  expect(await failureOf((url) => (url.pathname = '/nowhere'))).toContain('has no database "nowhere"');
  expect(await failureOf((url) => (url.port = '1'))).toContain('cannot be reached');
  expect(await failureOf((url) => url.searchParams.set('sslmode', 'require'))).toContain(
    'The TLS connection',
  );
});

test('a server that does not speak PostgreSQL, or nothing at all, is told from one that does', async () => {
  const silent = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as AddressInfo;
  const url = `postgresql://me:hunter2@127.0.0.1:${port}/x`;
  await expect(openStore({ databaseUrl: url, home, role: 'worker', log })).rejects.toThrow(
    'cannot be reached',
  );
  silent.close();
});

test('a database in another encoding is refused', async () => {
  await using empty = await createEmptyDatabase();
  const name = `${new URL(empty.url).pathname.slice(1)}_latin`;
  const client = await connect(empty.url, 'test');
  await client.query(
    `CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0`,
  );
  const url = new URL(empty.url);
  url.pathname = `/${name}`;
  await expect(openStore({ databaseUrl: url.toString(), home, role: 'worker', log })).rejects.toThrow(
    'encoding LATIN1',
  );
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await client.end();
});
