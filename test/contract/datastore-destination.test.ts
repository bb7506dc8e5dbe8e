import { describe, expect, test } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openMover, originOf, selectionOf, type Mover } from '../support/move-stream.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';
import { destinationSuite } from './destination.suite.ts';

const never = new AbortController().signal;

destinationSuite('datastore', async () => {
  const mover = await openMover();
  return {
    connector: datastoreDestination,
    config: {},
    context: mover.context(),
    read: (table) => readTable(mover, table),
    async staged() {
      const rows = await mover.rows(
        `SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, '_sluice_')
         UNION ALL SELECT table_name FROM _sluice.staging UNION ALL SELECT table_name FROM _sluice.part`,
      );
      return rows.flat() as string[];
    },
    [Symbol.asyncDispose]: () => mover[Symbol.asyncDispose](),
  };
});

async function readTable(mover: Mover, table: string): Promise<unknown[][] | null> {
  const found = (await mover.warehouse.tables()).some((each) => each.schema === 'raw' && each.name === table);
  return found ? mover.rows(`SELECT * FROM raw."${table}" ORDER BY ALL`) : null;
}

describe('a datastore', () => {
  test('shows its tables and counts them exactly, and nothing of what is staged', async () => {
    await using mover = await openMover();
    await using session = await datastoreDestination.open({}, mover.context());
    await using writer = await session.stream(originOf(), selectionOf('orders'));
    await writer.begin(columnsOf({ id: 'INTEGER' }), false);
    await writer.stage(partOf('SELECT 1 AS id UNION ALL SELECT 2'), 'p', never, () => undefined);
    expect(await mover.warehouse.tables()).toEqual([]);
    const { table } = await writer.publish(null, null);
    expect(table).toEqual({ datastore: 'warehouse', database: 'warehouse', schema: 'raw', name: 'orders' });
    expect(await mover.warehouse.tables([table!])).toMatchObject([
      { name: 'orders', kind: 'TABLE', rowCount: 2n },
    ]);
  });

  test('stores texts that are said to hardly repeat as FSST, others as DuckDB chooses', async () => {
    await using mover = await openMover();
    await using session = await datastoreDestination.open({}, mover.context());
    await using writer = await session.stream(originOf(), selectionOf('orders'));
    const [told, untold] = columnsOf({ told: 'VARCHAR', untold: 'VARCHAR' });
    await writer.begin([{ ...told!, nearlyUnique: true }, untold!], false);
    const select = `SELECT 'kind ' || n % 10 AS told, told AS untold FROM range(130000) AS numbers(n)`;
    await writer.stage(partOf(select), 'p', never, () => undefined);
    await writer.publish(null, null);
    await mover.rows('CHECKPOINT');
    const stored = await mover.rows(
      `SELECT DISTINCT column_name, compression FROM pragma_storage_info('raw.orders')
       WHERE segment_type = 'VARCHAR' ORDER BY ALL`,
    );
    expect(stored).toEqual([
      ['told', 'FSST'],
      ['untold', 'Dictionary'],
    ]);
  });

  describe('UPSERT leaves one row a key, the last version, whichever way is quicker', () => {
    const upsert = async (mover: Mover, scan: string) => {
      await using session = await datastoreDestination.open({}, mover.context());
      await using writer = await session.stream(
        originOf(),
        selectionOf('orders', { writeMode: 'UPSERT', primaryKey: ['id'] }),
      );
      await writer.begin(columnsOf({ id: 'BIGINT', version: 'BIGINT' }), false);
      await writer.stage(partOf(scan), 'p', never, () => undefined);
      return (await writer.publish(null, null)).rowsWritten;
    };
    const sums = 'SELECT count(*), count(DISTINCT id), sum(version) FROM raw.orders';

    test.each([
      ['few rows of the table are replaced in it', 1_000],
      ['many rows make the table anew', 9_000],
    ])('%s', async (_way, count) => {
      await using mover = await openMover();
      await upsert(mover, 'SELECT range AS id, 0 AS version FROM range(10000)');
      const changed = `SELECT 9500 - range AS id, 1 AS version FROM range(${count})`;
      expect(await upsert(mover, changed)).toBe(BigInt(count));
      expect(await mover.rows(sums)).toEqual([[10_000n, 10_000n, String(count)]]);
    });

    test('so many versions that they are written anew', async () => {
      await using mover = await openMover();
      const scan = 'SELECT range // 3 AS id, range % 3 AS version FROM range(2400000)';
      expect(await upsert(mover, scan)).toBe(800_000n);
      expect(await mover.rows(sums)).toEqual([[800_000n, 800_000n, '1600000']]);
    });
  });

  test('what does not fit into memory fails for now, and finds more of it the next time', async () => {
    await using mover = await openMover();
    await using session = await datastoreDestination.open({}, mover.context());
    await using writer = await session.stream(originOf(), selectionOf('orders'));
    await writer.begin(columnsOf({ id: 'BIGINT' }), false);
    const stage = () =>
      writer.stage(partOf('SELECT len(list(range)) AS id FROM range(20000000)'), 'p', never, () => undefined);
    await expect(stage()).rejects.toMatchObject({ kind: 'TRANSIENT', retryable: true });
    expect(await stage()).toMatchObject({ rows: 1n });
  });

  test('a statement that runs through a publish sees one table, the old or the new', async () => {
    await using mover = await openMover();
    await using session = await datastoreDestination.open({}, mover.context());
    const write = async (version: number) => {
      await using writer = await session.stream(originOf(), selectionOf('orders'));
      await writer.begin(columnsOf({ id: 'INTEGER', version: 'INTEGER' }), false);
      const scan = `SELECT CAST(range AS INTEGER) AS id, ${version} AS version FROM range(50000)`;
      await writer.stage(partOf(scan), 'p', never, () => undefined);
      await writer.publish(null, null);
    };
    await write(0);
    const written = new AbortController();
    const seen = (async () => {
      while (!written.signal.aborted) {
        const [row] = await mover.rows('SELECT count(*), count(DISTINCT version) FROM raw.orders');
        expect(row).toEqual([50_000n, 1n]);
      }
    })();
    for (let version = 1; version <= 5; version += 1) await write(version);
    written.abort();
    await seen;
  });

  test('check names the datastore, and refuses the schema that it keeps for itself', async () => {
    await using mover = await openMover();
    const good = await datastoreDestination.check({}, mover.context());
    expect(good).toMatchObject({
      ok: true,
      message: 'DuckDB datastore "warehouse", 0 tables in schema "raw".',
    });
    const bad = await datastoreDestination.check({ schema: '_SLUICE' }, mover.context());
    expect(bad).toMatchObject({ ok: false, problems: [{ path: ['config', 'schema'] }] });
  });

  test('a view of the table’s name is refused with SCHEMA', async () => {
    await using mover = await openMover();
    await mover.warehouse.run({ sql: 'CREATE SCHEMA raw' });
    await mover.warehouse.run({ sql: 'CREATE VIEW raw.orders AS SELECT 1 AS id' });
    await using session = await datastoreDestination.open({}, mover.context());
    await using writer = await session.stream(originOf(), selectionOf('orders'));
    await expect(writer.begin(columnsOf({ id: 'INTEGER' }), false)).rejects.toMatchObject({ kind: 'SCHEMA' });
  });

  test('names of tables and columns are taken as they are written', async () => {
    await using mover = await openMover();
    await using session = await datastoreDestination.open({ schema: 'My "raw"' }, mover.context());
    await using writer = await session.stream(originOf(), selectionOf('select; "Größe"'));
    await writer.begin(
      columnsOf({ 'group by': 'INTEGER', "it's": 'INTEGER', 'naïve "x"': 'INTEGER' }),
      false,
    );
    await writer.stage(
      partOf(`SELECT 1 AS "group by", 2 AS "it's", 3 AS "naïve ""x"""`),
      'p',
      never,
      () => undefined,
    );
    await writer.publish(null, null);
    expect(await mover.rows(`SELECT * FROM "My ""raw""" . "select; ""Größe"""`)).toEqual([[1, 2, 3]]);
  });
});
