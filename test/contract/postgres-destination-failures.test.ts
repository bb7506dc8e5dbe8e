import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenPart, StreamSelection, WriteOrigin } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { openPostgresLab, type PostgresLab } from '../support/postgres-lab.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';

let lab: PostgresLab;
beforeEach(async () => {
  lab = await openPostgresLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const never = new AbortController().signal;
const two = { id: 'INTEGER', v: 'VARCHAR' };
const one = "SELECT 1 AS id, 'a' AS v";
const endless =
  'SELECT CAST(range % 1000 AS INTEGER) AS id, md5(range::VARCHAR) AS v FROM range(100000000000)';

/** A writer of raw.orders that has begun, with what it stands on. */
async function begun(origin: WriteOrigin, more: Partial<StreamSelection> = {}, signal = never) {
  await using opening = new AsyncDisposableStack();
  const session = opening.use(await datastoreDestination.open({}, lab.context(signal)));
  const writer = opening.use(await session.stream(origin, selectionOf('orders', more)));
  await writer.begin(columnsOf(two), true);
  const open = opening.move();
  const stage = (scan: string, part = 'p', stop = never) =>
    writer.stage(partOf(scan), part, stop, () => undefined);
  return { writer, stage, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function write(scan: string, more: Partial<StreamSelection> = {}) {
  await using writing = await begun(originOf(), more);
  await writing.stage(scan);
  return writing.writer.publish(null, null);
}

/** Waits for a statement of the datastore's that is like this, and gives the server's process. */
async function running(like: string): Promise<number> {
  for (;;) {
    const rows = await lab.rows(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
       AND query LIKE '${like}' AND pid <> pg_backend_pid()`,
    );
    if (rows.length > 0) return rows[0]![0] as number;
    await delay(20);
  }
}

describe('a connection that is lost', () => {
  test('while rows are copied fails for now, leaves none of the part, and the next attempt writes each row once', async () => {
    const origin = originOf();
    {
      await using writing = await begun(origin);
      await writing.stage("SELECT 7 AS id, 'kept' AS v", 'first');
      const staging = writing.stage(endless, 'second');
      staging.catch(() => undefined);
      const pid = await running('COPY %');
      await lab.pg.load([`SELECT pg_terminate_backend(${pid})`]);
      await expect(staging).rejects.toMatchObject({ kind: 'TRANSIENT', retryable: true });
    }
    await using again = await begun(origin);
    expect(again.writer.staged.map(({ partId }) => partId)).toEqual(['first']);
    await again.stage(one, 'second');
    expect((await again.writer.publish(null, null)).rowsWritten).toBe(2n);
    expect(await lab.readTable('orders')).toEqual([
      [1, 'a'],
      [7, 'kept'],
    ]);
  });

  test('while the table is published leaves the old one, and what is staged is published next', async () => {
    await write("SELECT 9 AS id, 'old' AS v");
    const origin = originOf();
    await using holder = await hold('SELECT * FROM raw.orders');
    {
      await using writing = await begun(origin);
      await writing.stage(one);
      const publishing = writing.writer.publish(null, null);
      publishing.catch(() => undefined);
      const pid = await running('DROP TABLE%');
      await lab.pg.load([`SELECT pg_terminate_backend(${pid})`]);
      await expect(publishing).rejects.toMatchObject({ kind: 'TRANSIENT' });
    }
    await holder.end();
    expect(await lab.readTable('orders')).toEqual([[9, 'old']]);
    await using again = await begun(origin);
    expect(again.writer.staged).toHaveLength(1);
    await again.writer.publish(null, null);
    expect(await lab.readTable('orders')).toEqual([[1, 'a']]);
    expect(await lab.staged()).toEqual([]);
  });
});

/** A transaction of somebody else's that stays open. */
async function hold(sql: string): Promise<AsyncDisposable & { end(): Promise<void> }> {
  const { host, port, database, username, password } = lab.pg.server;
  const client = new Client({ host, port, database, user: username, password });
  await client.connect();
  await client.query('BEGIN');
  await client.query(sql);
  let isEnded = false;
  const end = async () => {
    if (!isEnded) await client.end();
    isEnded = true;
  };
  return { end, [Symbol.asyncDispose]: end };
}

describe('a cancel', () => {
  test('stops a publish that waits, and the server with it', async () => {
    await write(one);
    await using holder = await hold('SELECT * FROM raw.orders');
    const stop = new AbortController();
    await using writing = await begun(originOf(), {}, stop.signal);
    await writing.stage("SELECT 2 AS id, 'b' AS v");
    const publishing = writing.writer.publish(null, null);
    publishing.catch(() => undefined);
    await running('DROP TABLE%');
    stop.abort(new Error('canceled'));
    await expect(publishing).rejects.toThrow('canceled');
    await holder.end();
    await writing.writer.abandon();
    expect(await lab.staged()).toEqual([]);
    expect(await lab.readTable('orders')).toEqual([[1, 'a']]);
  });

  test('ends the COPY in the server', async () => {
    await using writing = await begun(originOf());
    const stop = new AbortController();
    const staging = writing.stage(endless, 'p', stop.signal);
    staging.catch(() => undefined);
    await running('COPY %');
    stop.abort(new Error('canceled'));
    await expect(staging).rejects.toThrow('canceled');
    // Dropping the staging table waits for whoever still copies into it.
    await writing.writer.abandon();
    expect(await lab.staged()).toEqual([]);
  });
});

describe('two at once', () => {
  test('that upsert one table leave each key once', async () => {
    const keyed: Partial<StreamSelection> = { writeMode: 'UPSERT', primaryKey: ['id'] };
    await write('SELECT 0 AS id, NULL AS v', keyed);
    const scan = (of: string) => `SELECT CAST(range AS INTEGER) AS id, '${of}' AS v FROM range(3000)`;
    await Promise.all([write(scan('a'), keyed), write(scan('b'), keyed)]);
    const [row] = await lab.rows('SELECT count(*), count(DISTINCT id), count(DISTINCT v) FROM raw.orders');
    expect(row).toEqual([3000n, 3000n, 1n]);
  });

  test('that overwrite one table leave one of the two whole', async () => {
    await write(one);
    const scan = (of: string) => `SELECT CAST(range AS INTEGER) AS id, '${of}' AS v FROM range(3000)`;
    await Promise.all([write(scan('a')), write(scan('b'))]);
    expect(await lab.rows('SELECT count(*), count(DISTINCT v) FROM raw.orders')).toEqual([[3000n, 1n]]);
    expect(await lab.staged()).toEqual([]);
  });

  test('that make the markers in a new database both find them', async () => {
    const sessions = await Promise.all([1, 2, 3, 4].map(() => datastoreDestination.open({}, lab.context())));
    for (const session of sessions) await session[Symbol.asyncDispose]();
    expect(await lab.rows("SELECT count(*) FROM pg_tables WHERE schemaname = '_sluice'")).toEqual([[3n]]);
  });

  test('attempts of one task stage a part once, and publish once', async () => {
    const origin = originOf();
    await using first = await begun(origin);
    await using second = await begun(origin);
    await first.stage(one);
    await expect(second.stage(one)).rejects.toMatchObject({ kind: 'TRANSIENT' });
    const published = await Promise.all([
      first.writer.publish(null, null),
      second.writer.publish(null, null),
    ]);
    expect(published.map(({ rowsWritten }) => rowsWritten)).toEqual([1n, 1n]);
    expect(await lab.readTable('orders')).toEqual([[1, 'a']]);
  });
});

describe('readers', () => {
  test('go on reading the old table while a publish waits for one of them to end', async () => {
    await write(one);
    await using holder = await hold('SELECT * FROM raw.orders');
    await using writing = await begun(originOf());
    await writing.stage("SELECT 2 AS id, 'b' AS v");
    let isPublished = false;
    const publishing = writing.writer.publish(null, null).then(() => (isPublished = true));
    await running('DROP TABLE%');
    for (let reader = 0; reader < 3; reader += 1) expect(await lab.readTable('orders')).toEqual([[1, 'a']]);
    expect(isPublished).toBe(false);
    await holder.end();
    await publishing;
    expect(await lab.readTable('orders')).toEqual([[2, 'b']]);
  });

  test('see the old table or the new, whole, while it is written again and again', async () => {
    const scan = (version: number) =>
      `SELECT CAST(range AS INTEGER) AS id, '${version}' AS v FROM range(5000)`;
    await write(scan(0));
    const written = new AbortController();
    const seen = (async () => {
      while (!written.signal.aborted) {
        expect(await lab.rows('SELECT count(*), count(DISTINCT v) FROM raw.orders')).toEqual([[5000n, 1n]]);
      }
    })();
    for (let version = 1; version <= 4; version += 1) await write(scan(version));
    written.abort();
    await seen;
  });
});

test('each trouble of the server’s is classified, with what to do, and the part can be staged again', async () => {
  await using writing = await begun(originOf());
  await lab.pg.load([
    `CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = TG_ARGV[0]; END $$`,
  ]);
  const kinds: Record<string, [kind: string, message: RegExp]> = {
    '55P03': ['TRANSIENT', /held by somebody else/],
    '40P01': ['TRANSIENT', /held by somebody else/],
    '53100': ['DESTINATION', /no room/],
    '53200': ['TRANSIENT', /broke off/],
    '57014': ['TRANSIENT', /stopped the write/],
    '25006': ['CONFIG', /takes no writes/],
    '23514': ['SCHEMA', /cannot take what arrives/],
    '42883': ['SCHEMA', /cannot write/],
  };
  for (const [code, [kind, message]] of Object.entries(kinds)) {
    await lab.pg.load([
      `CREATE TRIGGER trouble BEFORE INSERT ON _sluice.part FOR EACH ROW EXECUTE FUNCTION trouble('${code}')`,
    ]);
    await expect(writing.stage(one), code).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
      fix: expect.any(String),
    });
    await lab.pg.load(['DROP TRIGGER trouble ON _sluice.part']);
  }
  await writing.stage(one);
  expect((await writing.writer.publish(null, null)).rowsWritten).toBe(1n);
});

describe('a role that may not write', () => {
  test('is told each grant that is missing, by the check and by the task', async () => {
    const { server } = lab.pg;
    const role = `writer_${server.database}`;
    await lab.pg.load([
      `CREATE ROLE "${role}" LOGIN PASSWORD 'secret of the role'`,
      `GRANT CONNECT ON DATABASE "${server.database}" TO "${role}"`,
    ]);
    const warehouse = await openPostgres({ ...server, username: role, password: 'secret of the role' });
    const context = { ...lab.context(), datastore: async () => ({ name: 'pg', warehouse }) };
    const checked = () => datastoreDestination.check({}, context);
    const refused = async (fix: RegExp, grants: string[]) => {
      const result = await checked();
      expect(result).toMatchObject({ ok: false, problems: [{ fix: expect.stringMatching(fix) }] });
      expect(JSON.stringify(result)).not.toContain('secret of the role');
      await expect(
        (async () => {
          await using session = await datastoreDestination.open({}, context);
          await using writer = await session.stream(originOf(), selectionOf('orders'));
          await writer.begin(columnsOf(two), false);
        })(),
      ).rejects.toMatchObject({ kind: 'CONFIG', fix: expect.stringMatching(/GRANT/) });
      await lab.pg.load(grants);
    };
    try {
      await refused(/GRANT CREATE ON DATABASE/, [
        'CREATE SCHEMA raw',
        `CREATE SCHEMA _sluice AUTHORIZATION "${role}"`,
      ]);
      await refused(/GRANT USAGE, CREATE ON SCHEMA "raw"/, [
        `GRANT USAGE, CREATE ON SCHEMA raw TO "${role}"`,
      ]);
      expect(await checked()).toMatchObject({
        ok: true,
        message: 'PostgreSQL datastore "pg", 0 tables in schema "raw".',
      });
      await using session = await datastoreDestination.open({}, context);
      const write = async () => {
        await using writer = await session.stream(originOf(), selectionOf('orders'));
        await writer.begin(columnsOf(two), false);
        await writer.stage(partOf(one) satisfies OpenPart, 'p', never, () => undefined);
        await writer.publish(null, null);
      };
      await write();
      await lab.pg.load([
        'ALTER TABLE raw.orders OWNER TO CURRENT_USER',
        `GRANT SELECT ON raw.orders TO "${role}"`,
      ]);
      await expect(write()).rejects.toMatchObject({
        kind: 'CONFIG',
        fix: expect.stringContaining(`OWNER TO "${role}"`),
      });
    } finally {
      await warehouse[Symbol.asyncDispose]();
      await lab.pg.load([`DROP OWNED BY "${role}" CASCADE`, `DROP ROLE "${role}"`]);
    }
  });
});
