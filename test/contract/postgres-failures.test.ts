import { readdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import { moveStream, originOf, selectionOf } from '../support/move-stream.ts';
import { openSourceDatabase, type SourceDatabase } from '../support/source-database.ts';
import { openTlsProxy, testCertificate } from '../support/tls-proxy.ts';

function move(
  database: SourceDatabase,
  name: string,
  more: Partial<StreamSelection> = {},
  config = database.config,
  signal?: AbortSignal,
) {
  const ends = {
    source: postgresSource as never,
    sourceConfig: config,
    destination: datastoreDestination as never,
    destinationConfig: {},
  };
  const selection = selectionOf(name, { namespace: 'public', ...more });
  return moveStream(database.mover, { ...ends, selection, origin: originOf() }, signal);
}

const manyRows = `CREATE TABLE many (id int8 PRIMARY KEY, v text);
  INSERT INTO many SELECT n, md5(n::text) FROM generate_series(1, 600000) n; ANALYZE many`;

describe('check', () => {
  const problemOf = async (database: SourceDatabase, patch: object) => {
    const result = await postgresSource.check({ ...database.config, ...patch }, database.mover.context());
    expect(result.ok).toBe(false);
    expect(result.problems).toHaveLength(1);
    const { path, message, fix } = result.problems[0]!;
    expect(fix).toEqual(expect.any(String));
    expect(message).not.toContain('wrong-password');
    return [path.join('.'), message];
  };

  test('each wrong setting has its own message and path', async () => {
    await using database = await openSourceDatabase();
    const found = [
      await problemOf(database, { host: 'nowhere.invalid' }),
      await problemOf(database, { port: await closedPort() }),
      await problemOf(database, { password: 'wrong-password' }),
      await problemOf(database, { database: 'nothing' }),
      await problemOf(database, { ssl: { mode: 'require' } }),
      await problemOf(database, { schemas: ['public', 'nothing'] }),
    ];
    expect(found.map(([path]) => path)).toEqual([
      'config.host',
      'config.port',
      'config.password',
      'config.database',
      'config.ssl.mode',
      'config.schemas',
    ]);
    expect(new Set(found.map(([, message]) => message)).size).toBe(found.length);
  });

  test('a server that takes connections and says nothing is said to hang, within 30 seconds', async () => {
    await using database = await openSourceDatabase();
    const silent = createServer((socket) => void socket.on('error', () => undefined));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const startedAt = performance.now();
    const [path, message] = await problemOf(database, { port: (silent.address() as AddressInfo).port });
    silent.close();
    expect([path, message]).toEqual(['config.host', expect.stringContaining('hung')]);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test('a cancel ends it while the server says nothing', async () => {
    await using database = await openSourceDatabase();
    const silent = createServer((socket) => void socket.on('error', () => undefined));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const context = database.mover.context(AbortSignal.timeout(100));
    const config = { ...database.config, port: (silent.address() as AddressInfo).port };
    const startedAt = performance.now();
    await expect(postgresSource.check(config, context)).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    silent.close();
  });

  test('what is no PostgreSQL is said to be none', async () => {
    await using database = await openSourceDatabase();
    const other = createServer(
      (socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const [path] = await problemOf(database, { port: (other.address() as AddressInfo).port });
    other.close();
    expect(path).toBe('config.port');
  });
});

describe('TLS', () => {
  test('require reads over it, verify-full only from a host that the certificate names', async () => {
    await using database = await openSourceDatabase();
    await database.sql(manyRows);
    await using proxy = await openTlsProxy({ host: database.config.host, port: database.config.port! });
    const over = { ...database.config, port: proxy.port };
    expect((await move(database, 'many', {}, { ...over, ssl: { mode: 'require' } })).rowsWritten).toBe(
      600_000n,
    );
    const [[sum]] = (await database.mover.rows('SELECT sum(id)::BIGINT FROM raw.many')) as [[bigint]];
    expect(sum).toBe(180_000_300_000n);

    const verified = { mode: 'verify-full' as const, ca: testCertificate };
    const check = (patch: object) => postgresSource.check({ ...over, ...patch }, database.mover.context());
    expect(await check({ host: 'localhost', ssl: verified })).toMatchObject({ ok: true });
    expect((await check({ host: '127.0.0.1', ssl: verified })).problems).toMatchObject([
      { path: ['config', 'ssl', 'mode'] },
    ]);
    expect((await check({ host: 'localhost', ssl: { mode: 'verify-full' } })).problems).toMatchObject([
      { path: ['config', 'ssl', 'ca'] },
    ]);
  });
});

describe('while a table is read', () => {
  test('a lost connection is TRANSIENT and leaves nothing staged or published', async () => {
    await using database = await openSourceDatabase();
    await database.sql(manyRows);
    const moving = move(database, 'many');
    moving.catch(() => undefined);
    await readersAppear(database);
    await database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database() AND query LIKE 'COPY%'`,
    );
    await expect(moving).rejects.toMatchObject({ kind: 'TRANSIENT', retryable: true });
    expect(await database.mover.warehouse.tables()).toEqual([]);
    expect(await readdir(database.mover.pipesDir)).toEqual([]);
  });

  test('a cancel stops within two seconds, leaves nothing half-written and no connection', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE VIEW endless AS SELECT n AS id, md5(n::text) AS v FROM generate_series(1, 100000000000) n`,
    );
    const stop = new AbortController();
    const moving = move(database, 'endless', {}, database.config, stop.signal);
    moving.catch(() => undefined);
    await readersAppear(database);
    const startedAt = performance.now();
    stop.abort(new Error('canceled'));
    await expect(moving).rejects.toThrow('canceled');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await database.mover.warehouse.tables()).toEqual([]);
    expect(await readdir(database.mover.pipesDir)).toEqual([]);
    await expect.poll(() => readers(database), { timeout: 10_000 }).toBe(0);
  });

  test('a table that the user may not read, or a column, says which right is missing', async () => {
    await using database = await openSourceDatabase();
    const name = `reader_${database.config.database}`;
    await database.sql(`CREATE TABLE secrets (id int4); CREATE ROLE ${name} LOGIN PASSWORD 'pw'`);
    const config = { ...database.config, username: name, password: 'pw' };
    try {
      expect(await postgresSource.discover(config, database.mover.context())).toEqual([]);
      await expect(move(database, 'secrets', {}, config)).rejects.toMatchObject({
        kind: 'SOURCE',
        fix: expect.stringContaining('GRANT SELECT'),
      });
    } finally {
      await database.sql(`DROP ROLE ${name}`);
    }
  });

  test('a table or column that was dropped is SCHEMA', async () => {
    await using database = await openSourceDatabase();
    await database.sql('CREATE TABLE gone (id int4, v text)');
    const selected = { selectedColumns: ['id', 'v'] };
    await move(database, 'gone', selected);
    await database.sql('ALTER TABLE gone DROP COLUMN v');
    await expect(move(database, 'gone', selected)).rejects.toMatchObject({ kind: 'SCHEMA' });
    await database.sql('DROP TABLE gone');
    await expect(move(database, 'gone')).rejects.toMatchObject({ kind: 'SCHEMA' });
  });

  test('a view whose query fails says what PostgreSQL said', async () => {
    await using database = await openSourceDatabase();
    await database.sql('CREATE VIEW broken AS SELECT 1 / (n - 5000) AS v FROM generate_series(1, 10000) n');
    await expect(move(database, 'broken')).rejects.toMatchObject({
      kind: 'SOURCE',
      message: expect.stringContaining('division by zero'),
    });
  });
});

async function readers(database: SourceDatabase): Promise<number> {
  const [row] = await database.sql(
    `SELECT count(*)::int4 AS n FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database()`,
  );
  return row!.n as number;
}

async function readersAppear(database: SourceDatabase): Promise<void> {
  const copying = async () => {
    const [row] = await database.sql(
      `SELECT count(*)::int4 AS n FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
    );
    return row!.n as number;
  };
  await expect.poll(copying, { timeout: 10_000, interval: 5 }).toBeGreaterThan(0);
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
