import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { StreamSelection, StreamWriter, WriteOrigin } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { openSnowflakeLab, type SnowflakeLab } from '../support/snowflake-lab.ts';
import { columnsOf, partOf } from './destination.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const never = new AbortController().signal;
const columns = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });
const append = { writeMode: 'APPEND' } as const;
const row = (id: number, v = 'a') => partOf(`SELECT ${id} AS id, '${v}' AS v`);
const tableOf = () => `t_${newId().slice(-12)}`;
const told = () => lab().server.order({ tell: true });

async function withWriter<T>(
  origin: WriteOrigin,
  selection: Partial<StreamSelection>,
  work: (writer: StreamWriter) => Promise<T>,
): Promise<T> {
  await using session = await datastoreDestination.open({}, lab().context());
  await using writer = await session.stream(origin, selectionOf('orders', selection));
  return await work(writer);
}

/** Writes one part as one task. */
function write(id: number, selection: Partial<StreamSelection>, origin = originOf()): Promise<bigint> {
  return withWriter(origin, selection, async (writer) => {
    await writer.begin(columns, true);
    if (writer.staged.length === 0) await writer.stage(row(id), 'p', never, () => undefined);
    return (await writer.publish({ at: id }, null)).rowsWritten;
  });
}

describe('a file on its way into Snowflake', () => {
  test('is encrypted by the client, loaded, and gone from the disk and from the stage', async () => {
    const destinationTable = tableOf();
    const before = await told();
    await write(1, { destinationTable });
    expect((await told()).uploads - before.uploads).toBe(1);
    expect((await told()).staged).toEqual([]);
    expect(await readdir(lab().mover.pipesDir)).toEqual([]);
  });

  test('arrives all the same when its upload is cut off, and comes once', async () => {
    const destinationTable = tableOf();
    await lab().server.order({ trouble: { uploads: 2 } });
    expect(await write(1, { destinationTable })).toBe(1n);
    expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
  });

  test('arrives when the session that uploads has run out, and when it is gone', async () => {
    const destinationTable = tableOf();
    await write(1, { destinationTable });
    for (const expire of ['expired', 'gone'] as const) {
      await lab().server.order({ expire });
      expect(await write(2, { destinationTable })).toBe(1n);
    }
  });

  test('that cannot be uploaded fails for now, and leaves nothing', async () => {
    const destinationTable = tableOf();
    await lab().server.order({ trouble: { uploads: 1_000 } });
    await expect(write(1, { destinationTable })).rejects.toMatchObject({ kind: 'TRANSIENT' });
    await lab().server.order({ trouble: { uploads: 0 } });
    expect(await lab().read(destinationTable)).toBeNull();
    expect(await write(1, { destinationTable })).toBe(1n);
  });

  test('that is broken when it is loaded counts for nothing, and the next attempt loads it whole', async () => {
    const destinationTable = tableOf();
    const origin = originOf();
    await lab().server.order({ before: { words: 'COPY INTO', how: 'spoil' } });
    await expect(write(1, { destinationTable }, origin)).rejects.toMatchObject({ kind: 'DESTINATION' });
    await withWriter(origin, { destinationTable }, async ({ staged }) => expect(staged).toEqual([]));
    expect(await write(1, { destinationTable }, origin)).toBe(1n);
    expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
    expect(await lab().staged()).toEqual([]);
  });

  test('that was loaded but not yet noted before a crash is loaded again, and comes once', async () => {
    const destinationTable = tableOf();
    const origin = originOf();
    await lab().server.order({ before: { words: 'COMMENT ON TABLE', how: 'refuse' } });
    await expect(write(1, { destinationTable, ...append }, origin)).rejects.toMatchObject({
      kind: 'TRANSIENT',
    });
    expect(await write(1, { destinationTable, ...append }, origin)).toBe(1n);
    expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
    expect(await lab().staged()).toEqual([]);
  });

  test('that a killed worker left in the stage is removed by a later task, and no younger one is', async () => {
    const destinationTable = tableOf();
    for (const count of [1, 2]) {
      await lab().server.order({ before: { words: 'COPY INTO', how: 'refuse' } });
      await lab().server.order({ trouble: { keptFiles: 1 } });
      await expect(write(1, { destinationTable })).rejects.toMatchObject({ kind: 'TRANSIENT' });
      expect((await told()).staged).toHaveLength(count);
    }
    await lab().server.order({ age: 8 * 86_400_000 });
    await write(1, { destinationTable });
    expect((await told()).staged).toEqual([]);
  });

  test('is not waited for by a task that is canceled', async () => {
    const destinationTable = tableOf();
    const before = await lab().staged();
    await withWriter(originOf(), { destinationTable }, async (writer) => {
      await writer.begin(columns, false);
      const stop = new AbortController();
      await lab().server.order({ trouble: { stalledUploads: 1 } });
      const staging = writer.stage(row(1), 'p', stop.signal, () => undefined);
      staging.catch(() => undefined);
      await expect.poll(async () => (await told()).stalled).toBe(1);
      const startedAt = performance.now();
      stop.abort(new Error('canceled'));
      await expect(staging).rejects.toThrow('canceled');
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      await writer.abandon();
    });
    await lab().server.order({ trouble: { stalledUploads: 0 } });
    await expect
      .poll(async () => (await lab().staged()).filter((name) => !before.includes(name)))
      .toEqual([]);
  });
});

describe('a publish to Snowflake', () => {
  test('that was announced but not done before a crash is done by the next attempt, from what is staged', async () => {
    const destinationTable = tableOf();
    const origin = originOf();
    await lab().server.order({ before: { words: 'CREATE OR REPLACE TABLE', how: 'refuse' } });
    await expect(write(1, { destinationTable }, origin)).rejects.toMatchObject({ kind: 'TRANSIENT' });
    await withWriter(origin, { destinationTable }, async ({ published, staged }) => {
      expect(published).toBeNull();
      expect(staged).toHaveLength(1);
    });
    expect(await write(2, { destinationTable }, origin)).toBe(1n);
    expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
  });

  test('that replaced the table is found by its note when nothing after it was written', async () => {
    const destinationTable = tableOf();
    const origin = originOf();
    // The first settles what was published before it; the second what this one published.
    await lab().server.order({ before: { words: '"next_task" = NULL', how: 'refuse' } });
    expect(await write(1, { destinationTable }, origin)).toBe(1n);
    const published = await withWriter(
      originOf(origin.jobId),
      { destinationTable },
      async (writer) => writer.published,
    );
    expect(published).toEqual({ taskId: origin.taskId, state: { at: 1 }, rowsWritten: 1n });
    // The note goes with the next replacement, by another job; what it said stays.
    await write(7, { destinationTable });
    const still = await withWriter(
      originOf(origin.jobId),
      { destinationTable },
      async (writer) => writer.published,
    );
    expect(still).toEqual(published);
  });

  test.each(['APPEND', 'UPSERT'] as const)(
    'by %s whose session is lost in the middle changes nothing',
    async (writeMode) => {
      const selection = { destinationTable: tableOf(), writeMode, primaryKey: ['id'] };
      const { jobId } = originOf();
      await write(1, selection, originOf(jobId));
      const origin = originOf(jobId);
      for (const words of [writeMode === 'APPEND' ? 'INSERT INTO' : 'MERGE INTO "WRITES"."raw"', 'COMMIT']) {
        await lab().server.order({ before: { words, how: 'end' } });
        await expect(write(2, selection, origin)).rejects.toMatchObject({ kind: 'TRANSIENT' });
        expect(await lab().read(selection.destinationTable)).toEqual([[1, 'a']]);
        const { published } = await withWriter(origin, selection, async (writer) => writer);
        expect(published?.state).toEqual({ at: 1 });
      }
      expect(await write(2, selection, origin)).toBe(1n);
      expect(await lab().read(selection.destinationTable)).toEqual([
        [1, 'a'],
        [2, 'a'],
      ]);
    },
  );

  test('of two workers of one task is one, and both are told the same', async () => {
    const selection = { destinationTable: tableOf(), ...append };
    const { jobId } = originOf();
    await write(1, selection, originOf(jobId));
    const origin = originOf(jobId);
    await using session = await datastoreDestination.open({}, lab().context());
    await using first = await session.stream(origin, selectionOf('orders', selection));
    await first.begin(columns, false);
    await first.stage(row(2), 'p', never, () => undefined);
    await using second = await session.stream(origin, selectionOf('orders', selection));
    await second.begin(columns, true);
    const both = await Promise.allSettled([first.publish(null, null), second.publish(null, null)]);
    expect(both.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    expect(await lab().read(selection.destinationTable)).toEqual([
      [1, 'a'],
      [2, 'a'],
    ]);
    const { published } = await withWriter(origin, selection, async (writer) => writer);
    expect(published).toMatchObject({ taskId: origin.taskId, rowsWritten: 1n });
  });

  test('of a task that another task of its job overtook fails, and takes nothing back', async () => {
    const selection = { destinationTable: tableOf(), ...append };
    const { jobId } = originOf();
    await write(1, selection, originOf(jobId));
    await using session = await datastoreDestination.open({}, lab().context());
    await using late = await session.stream(originOf(jobId), selectionOf('orders', selection));
    await late.begin(columns, false);
    await late.stage(row(2), 'p', never, () => undefined);
    await write(3, selection, originOf(jobId));
    await expect(late.publish(null, null)).rejects.toMatchObject({ kind: 'TRANSIENT' });
    expect((await lab().read(selection.destinationTable))!.map(([id]) => id)).toEqual([1, 3]);
  });

  test('of streams of many jobs at once writes each', async () => {
    const tables = Array.from({ length: 4 }, tableOf);
    await Promise.all(tables.map((destinationTable, at) => write(at, { destinationTable })));
    for (const [at, table] of tables.entries()) expect(await lab().read(table)).toEqual([[at, 'a']]);
  });

  test('keeps what people noted on the table', async () => {
    const destinationTable = tableOf();
    const { jobId } = originOf();
    const name = `"WRITES"."raw"."${destinationTable}"`;
    const note = async () => {
      const sql = `SELECT COMMENT FROM "WRITES".INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = ?`;
      return (await lab().snowflake.run({ sql, binds: [destinationTable] })).rows[0]![0] as string;
    };
    await write(1, { destinationTable }, originOf(jobId));
    await lab().snowflake.run({ sql: `COMMENT ON TABLE ${name} IS 'Orders of the shop.\\nAsk Ada.'` });
    await write(2, { destinationTable }, originOf(jobId));
    await write(3, { destinationTable }, originOf(jobId));
    expect(await note()).toMatch(/^Orders of the shop\.\nAsk Ada\.\n\[sluice \{[^\n]*\}\]$/);
  });

  test('into a table that somebody made in capitals finds its columns', async () => {
    const destinationTable = tableOf();
    const name = `"WRITES"."raw"."${destinationTable}"`;
    await lab().snowflake.run({ sql: `CREATE TABLE ${name} (ID NUMBER(38,0), V VARCHAR(50))` });
    await write(1, { destinationTable, ...append });
    const { columns: named, rows } = await lab().snowflake.run({ sql: `SELECT * FROM ${name}` });
    expect([named.map((column) => column.name), rows]).toEqual([['ID', 'V'], [[1n, 'a']]]);
  });

  test('without the grants for it fails with CONFIG, and says what to grant', async () => {
    const destinationTable = tableOf();
    for (const words of ['CREATE TRANSIENT TABLE', 'CREATE OR REPLACE TABLE']) {
      await lab().server.order({ before: { words, how: 'deny' } });
      await expect(write(1, { destinationTable })).rejects.toMatchObject({
        kind: 'CONFIG',
        message: expect.stringContaining('may not write there'),
        fix: expect.stringContaining('CREATE TABLE on the schema'),
      });
    }
  });
});

test('the catalog shows what is published, and nothing of what is staged or kept to publish it', async () => {
  const destinationTable = tableOf();
  await withWriter(originOf(), { destinationTable }, async (writer) => {
    await writer.begin(columns, false);
    await writer.stage(row(1), 'p', never, () => undefined);
    const names = async () => (await lab().snowflake.tables()).map(({ schema, name }) => `${schema}.${name}`);
    expect(await lab().staged()).not.toEqual([]);
    expect((await names()).filter((name) => name.includes('_sluice'))).toEqual([]);
    const before = (await lab().snowflake.schemas()).find(({ schema }) => schema === 'raw')!.tables;
    await writer.publish(null, null);
    expect(await names()).toContain(`raw.${destinationTable}`);
    const schemas = await lab().snowflake.schemas();
    expect(schemas.map(({ schema }) => schema)).not.toContain('_sluice');
    expect(schemas.find(({ schema }) => schema === 'raw')!.tables - before).toBe(1);
  });
});

test('names of tables and columns are taken as they are written', async () => {
  await using session = await datastoreDestination.open({ schema: 'My "raw"' }, lab().context());
  await using writer = await session.stream(originOf(), selectionOf('select; "Größe"'));
  await writer.begin(columnsOf({ 'group by': 'INTEGER', "it's": 'INTEGER', 'naïve "x"': 'INTEGER' }), false);
  const scan = `SELECT 1 AS "group by", 2 AS "it's", 3 AS "naïve ""x"""`;
  await writer.stage(partOf(scan), `part 'of' "names" \\ 漢字`, never, () => undefined);
  await writer.publish(null, null);
  const { columns: named, rows } = await lab().snowflake.run({
    sql: `SELECT * FROM "WRITES"."My ""raw""" . "select; ""Größe"""`,
  });
  expect([named.map(({ name }) => name), rows]).toEqual([['group by', "it's", 'naïve "x"'], [[1n, 2n, 3n]]]);
});

test('a view of the table’s name is refused with SCHEMA', async () => {
  await write(1, { destinationTable: tableOf() });
  await lab().snowflake.run({ sql: 'CREATE VIEW "WRITES"."raw"."seen" AS SELECT 1 AS "id"' });
  await expect(write(1, { destinationTable: 'seen' })).rejects.toMatchObject({ kind: 'SCHEMA' });
});

test('check says what is there, and changes nothing', async () => {
  const before = await told();
  const { ok, message } = await datastoreDestination.check({ schema: 'nowhere' }, lab().context());
  expect([ok, message]).toEqual([true, 'Snowflake datastore "snowflake", 0 tables in schema "nowhere".']);
  const texts = (await told()).texts.slice(before.texts.length);
  expect(texts.filter((text) => !text.startsWith('SELECT'))).toEqual([]);
});
