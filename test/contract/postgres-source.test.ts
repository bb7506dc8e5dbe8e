import { describe, expect, test } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import { moveStream, originOf, selectionOf, stagePart, type Moved } from '../support/move-stream.ts';
import { openSourceDatabase, type SourceDatabase } from '../support/source-database.ts';
import { sourceSuite } from './source.suite.ts';

const never = new AbortController().signal;

/** Moves a table of `public` into `raw`. */
function move(
  database: SourceDatabase,
  name: string,
  more: Partial<StreamSelection> = {},
  origin = originOf(),
): Promise<Moved> {
  return moveStream(database.mover, {
    source: postgresSource,
    sourceConfig: database.config,
    destination: datastoreDestination,
    destinationConfig: {},
    origin,
    selection: selectionOf(name, {
      namespace: 'public',
      ...more,
    }),
  });
}

for (const [kind, key] of [
  ['a table with an integer key', 'PRIMARY KEY'],
  ['a table without a key', ''],
] as const) {
  sourceSuite(`postgres, ${kind}`, async () => {
    const database = await openSourceDatabase();
    const rows = 260_000;
    await database.sql(
      `CREATE TABLE numbers (id int8 ${key}, name text);
       INSERT INTO numbers SELECT n, 'name ' || n FROM generate_series(1, ${rows}) n; ANALYZE numbers`,
    );
    return {
      connector: postgresSource,
      config: database.config,
      mover: database.mover,
      namespace: 'public',
      cursorField: 'id',
      ids: Array.from({ length: rows }, (_, at) => BigInt(at + 1)),
      async grow() {
        const added = await database.sql(
          `INSERT INTO numbers SELECT n, 'new' FROM generate_series(${rows + 1}, ${rows + 3}) n RETURNING id::text`,
        );
        return added.map((row) => BigInt(row.id as string));
      },
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  });
}

test('a plan names the columns whose values hardly repeat, as far as the statistics tell', async () => {
  await using database = await openSourceDatabase();
  await database.sql(
    `CREATE TABLE texts (id int8 PRIMARY KEY, name text, kind text) WITH (autovacuum_enabled = false);
     INSERT INTO texts SELECT n, 'name of ' || n, 'kind ' || n % 10 FROM generate_series(1, 1000) n`,
  );
  await using session = await postgresSource.open(database.config, database.mover.context());
  const named = async () => {
    const fresh = { state: null, resume: null, asText: [] };
    await using plan = await session.plan(selectionOf('texts', { namespace: 'public' }), fresh);
    return plan.columns.filter((column) => column.nearlyUnique).map((column) => column.name);
  };
  expect(await named()).toEqual([]);
  await database.sql('ANALYZE texts');
  expect(await named()).toEqual(['id', 'name']);
});

describe('parts', () => {
  test('are of about equal size on keys with gaps and clusters', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE skewed (id int8 PRIMARY KEY, v text);
       INSERT INTO skewed SELECT n, 'a' FROM generate_series(1, 500000) n;
       INSERT INTO skewed SELECT 1000000000000 + n * 1000, 'b' FROM generate_series(1, 500000) n; ANALYZE skewed`,
    );
    await using session = await postgresSource.open(database.config, database.mover.context());
    const fresh = { state: null, resume: null, asText: [] };
    await using plan = await session.plan(selectionOf('skewed', { namespace: 'public' }), fresh);
    const counts: number[] = [];
    for (const part of plan.parts) {
      await using open = await part.open(never);
      const [[count]] = (await database.mover.rows(`SELECT count(*) FROM (${open.scan})`)) as [[bigint]];
      counts.push(Number(count));
    }
    expect(plan.parts.length).toBe(5);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1_000_000);
    expect(Math.max(...counts)).toBeLessThan(300_000);
  });

  test('of one table are one moment, however it changes meanwhile', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE accounts (id int8 PRIMARY KEY, balance int8 NOT NULL);
       INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 520000) n; ANALYZE accounts`,
    );
    await using session = await postgresSource.open(database.config, database.mover.context());
    const fresh = { state: null, resume: null, asText: [] };
    await using plan = await session.plan(selectionOf('accounts', { namespace: 'public' }), fresh);
    expect(plan.parts.length).toBeGreaterThan(2);
    let [total, count] = [0n, 0n];
    for (const part of plan.parts) {
      // Money moves from the first account to the last, and a row is added, before each part.
      await database.sql(
        `BEGIN; UPDATE accounts SET balance = balance - 7 WHERE id = 1; UPDATE accounts SET balance = balance + 7 WHERE id = 520000;
         INSERT INTO accounts SELECT max(id) + 1, 5 FROM accounts; COMMIT`,
      );
      await using open = await part.open(never);
      const [[sum, rows]] = (await database.mover.rows(
        `SELECT sum(balance)::BIGINT, count(*) FROM (${open.scan})`,
      )) as [[bigint, bigint]];
      await open.finished;
      total += sum;
      count += rows;
    }
    expect([total, count]).toEqual([52_000_000n, 520_000n]);
  });

  test('views, partitioned tables and materialized views arrive whole', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE events (id int4, day date) PARTITION BY RANGE (id);
       CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (500);
       CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (500) TO (2000);
       INSERT INTO events SELECT n, date '2026-01-01' + n FROM generate_series(1, 1000) n;
       CREATE VIEW recent AS SELECT id FROM events WHERE id > 900;
       CREATE MATERIALIZED VIEW counted AS SELECT day, count(*) AS n FROM events GROUP BY day`,
    );
    const streams = await postgresSource.discover(database.config, database.mover.context());
    expect(streams.map((stream) => stream.name)).toEqual(['counted', 'events', 'recent']);
    expect((await move(database, 'events')).rowsWritten).toBe(1000n);
    expect((await move(database, 'recent')).rowsWritten).toBe(100n);
    expect((await move(database, 'counted')).rowsWritten).toBe(1000n);
  });

  test('an empty table arrives with its columns', async () => {
    await using database = await openSourceDatabase();
    await database.sql('CREATE TABLE nothing (id int4 PRIMARY KEY, v numeric(5,2))');
    expect((await move(database, 'nothing')).rowsWritten).toBe(0n);
    expect(
      await database.mover.rows(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'nothing'",
      ),
    ).toEqual([
      ['id', 'INTEGER'],
      ['v', 'DECIMAL(5,2)'],
    ]);
  });

  test('names are taken as they are written', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE "Straße; ""x""" ("group" int4 PRIMARY KEY, "a""b" text, "Ünï 'c'" text);
       INSERT INTO "Straße; ""x""" VALUES (1, 'x', 'y')`,
    );
    await move(database, 'Straße; "x"', { destinationTable: 'streets' });
    expect(await database.mover.rows(`SELECT "group", "a""b", "Ünï 'c'" FROM raw.streets`)).toEqual([
      [1, 'x', 'y'],
    ]);
  });

  test('columns that a table takes for one name fail with SCHEMA', async () => {
    await using database = await openSourceDatabase();
    await database.sql('CREATE TABLE twins ("Id" int4, id int4)');
    await expect(move(database, 'twins')).rejects.toMatchObject({ kind: 'SCHEMA' });
    expect((await move(database, 'twins', { selectedColumns: ['id'] })).rowsWritten).toBe(0n);
  });
});

describe('INCREMENTAL', () => {
  const append = { syncMode: 'INCREMENTAL', cursorField: 'at', writeMode: 'APPEND' } as const;

  test('takes ties of the last value, and APPEND has each row once', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE log (at timestamptz, v text);
       INSERT INTO log VALUES ('2026-01-01', 'a'), ('2026-01-02', 'b'), ('2026-01-02', 'b')`,
    );
    const { jobId } = originOf();
    expect((await move(database, 'log', append, originOf(jobId))).rowsWritten).toBe(3n);
    await database.sql(
      `INSERT INTO log VALUES ('2026-01-02', 'late'), ('2026-01-02', 'b'), ('2026-01-03', 'c')`,
    );
    expect((await move(database, 'log', append, originOf(jobId))).rowsWritten).toBe(3n);
    expect((await move(database, 'log', append, originOf(jobId))).rowsWritten).toBe(0n);
    const rows = await database.mover.rows('SELECT v FROM raw.log ORDER BY v');
    expect(rows.flat()).toEqual(['a', 'b', 'b', 'b', 'c', 'late']);
  });

  test('takes rows without a cursor value, and infinite ones, in the first run and warns in later ones', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE log (at timestamptz, v text); INSERT INTO log VALUES ('2026-01-01', 'a'), (NULL, 'none'), ('infinity', 'end')`,
    );
    const { jobId } = originOf();
    const first = await move(database, 'log', append, originOf(jobId));
    expect(first).toMatchObject({ rowsWritten: 3n, state: { cursor: '2026-01-01 00:00:00+00' } });
    expect(database.mover.lines).toEqual([]);
    await database.sql(`INSERT INTO log VALUES (NULL, 'later'), ('2026-01-05', 'b')`);
    expect((await move(database, 'log', append, originOf(jobId))).rowsWritten).toBe(1n);
    expect(database.mover.lines).toEqual([expect.stringMatching(/^WARN .*"at" is NULL/)]);
  });

  test('a resumed run goes no further than its first attempt, and the next one misses nothing', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE items (id int8 PRIMARY KEY, seq int8 NOT NULL);
       INSERT INTO items SELECT n, n FROM generate_series(1, 520000) n; ANALYZE items`,
    );
    const selection = selectionOf('items', { namespace: 'public', ...append, cursorField: 'seq' });
    const origin = originOf();
    const context = database.mover.context();
    await using source = await postgresSource.open(database.config, context);
    await using destination = await datastoreDestination.open({}, context);
    const fresh = { state: null, resume: null, asText: [] };
    let resume;
    {
      await using plan = await source.plan(selection, fresh);
      await using writer = await destination.stream(origin, selection);
      await writer.begin(plan.columns, false);
      await stagePart(plan.parts[1]!, writer, never);
      resume = plan.resume;
    }
    // A row of the staged part changes, one of a part that is still to come, and one is added.
    await database.sql(
      `UPDATE items SET seq = 900001 WHERE id IN (1, 300000, 520000); INSERT INTO items VALUES (700000, 900002)`,
    );
    {
      await using plan = await source.plan(selection, { ...fresh, resume });
      await using writer = await destination.stream(origin, selection);
      expect(writer.staged.map((part) => part.partId)).toEqual([plan.parts[1]!.id]);
      await writer.begin(plan.columns, true);
      for (const part of plan.parts.filter((each) => each !== plan.parts[1]))
        await stagePart(part, writer, never);
      await writer.publish(plan.nextState, plan.ties);
      expect(plan.nextState).toEqual({ cursor: '520000' });
    }
    await move(database, 'items', { ...append, cursorField: 'seq' }, originOf(origin.jobId));
    const latest = await database.mover.rows(
      'SELECT id, max(seq), count(*) FROM raw.items WHERE id IN (1, 300000, 520000, 700000) GROUP BY id ORDER BY id',
    );
    expect(latest.map(([id, seq]) => [id, seq])).toEqual([
      [1n, 900_001n],
      [300_000n, 900_001n],
      [520_000n, 900_001n],
      [700_000n, 900_002n],
    ]);
    expect(
      await database.mover.rows(
        'SELECT count(*) FROM (SELECT id, seq FROM raw.items GROUP BY ALL HAVING count(*) > 1)',
      ),
    ).toEqual([[0n]]);
  });

  test('UPSERT with a cursor holds one row a key, the last', async () => {
    await using database = await openSourceDatabase();
    await database.sql(
      `CREATE TABLE users (id int4 PRIMARY KEY, seq int4, v text); INSERT INTO users VALUES (1, 1, 'a'), (2, 2, 'b')`,
    );
    const upsert = { ...append, cursorField: 'seq', writeMode: 'UPSERT', primaryKey: ['id'] } as const;
    const more = { ...upsert, primaryKey: ['id'] };
    const { jobId } = originOf();
    await move(database, 'users', more, originOf(jobId));
    await database.sql(
      `UPDATE users SET seq = 3, v = 'A' WHERE id = 1; INSERT INTO users VALUES (3, 3, 'c')`,
    );
    await move(database, 'users', more, originOf(jobId));
    expect(await database.mover.rows('SELECT * FROM raw.users ORDER BY id')).toEqual([
      [1, 3, 'A'],
      [2, 2, 'b'],
      [3, 3, 'c'],
    ]);
  });
});
