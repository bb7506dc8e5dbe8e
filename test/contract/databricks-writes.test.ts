import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { StreamSelection, StreamWriter, WriteOrigin } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openDatabricks } from '#warehouse/databricks.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { openDatabricksLab, type DatabricksLab } from '../support/databricks-lab.ts';
import { columnsOf, partOf } from './destination.suite.ts';

const opened: { lab?: DatabricksLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openDatabricksLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const never = new AbortController().signal;
const columns = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });
const append = { writeMode: 'APPEND' } as const;
const row = (id: number, v = 'a') => partOf(`SELECT ${id} AS id, '${v}' AS v`);
const tableOf = () => `t_${newId().slice(-12)}`;
/** The next statement with these words fails. */
const refusing = (words: string, condition: string, sqlState: string) => ({
  trouble: { words, refused: [condition, sqlState, 'A test says so.'] as [string, string, string] },
});
const failing = (words: string) => refusing(words, 'INTERNAL_ERROR', 'XX000');
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

describe('a file on its way into Databricks', () => {
  test('is loaded, and gone from the disk and from the volume', async () => {
    const destinationTable = tableOf();
    await write(1, { destinationTable });
    expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
    expect((await told()).staged).toEqual([]);
    expect(await readdir(lab().mover.pipesDir)).toEqual([]);
  });

  test('that a dead process left behind goes after a week', async () => {
    const { volumes, login } = lab().server;
    const folder = join(volumes, login.volume!, 'sluice');
    await mkdir(folder, { recursive: true });
    for (const [name, ageMs] of [
      ['old.parquet', 8 * 86_400_000],
      ['young.parquet', 86_400_000],
    ] as const) {
      await writeFile(join(folder, name), 'x');
      await utimes(join(folder, name), new Date(), new Date(Date.now() - ageMs));
    }
    await write(1, { destinationTable: tableOf() });
    expect((await told()).staged).toEqual(['young.parquet']);
    await rm(join(folder, 'young.parquet'));
  });

  test('that cannot be uploaded fails for now, and leaves nothing', async () => {
    const destinationTable = tableOf();
    await lab().server.order({ trouble: { filesStatus: 503, filesCount: 1_000 } });
    await expect(write(1, { destinationTable })).rejects.toMatchObject({ kind: 'TRANSIENT' });
    await lab().server.order({ trouble: { filesCount: 0 } });
    expect(await lab().read(destinationTable)).toBeNull();
    expect(await write(1, { destinationTable })).toBe(1n);
  });
});

describe('a publish to Databricks', () => {
  test('that was announced but not done before a crash is done by the next attempt, from what is staged', async () => {
    const destinationTable = tableOf();
    const origin = originOf();
    await lab().server.order(failing('CREATE OR REPLACE TABLE'));
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
    await lab().server.order(failing('`next_task` = NULL'));
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
    const note = async () => {
      const sql = `SELECT comment FROM writes.information_schema.tables WHERE table_name = :p1`;
      return (await lab().databricks.run({ sql, binds: [destinationTable] })).rows[0]![0] as string;
    };
    await write(1, { destinationTable }, originOf(jobId));
    await lab().databricks.run({
      sql: `COMMENT ON TABLE writes.raw.${destinationTable} IS 'Orders of the shop.\\nAsk Ada.'`,
    });
    await write(2, { destinationTable }, originOf(jobId));
    await write(3, { destinationTable }, originOf(jobId));
    expect(await note()).toMatch(/^Orders of the shop\.\nAsk Ada\.\n\[sluice \{[^\n]*\}\]$/);
  });

  test('goes on, and keeps what people noted in the catalog alone, which the log of the table does not know', async () => {
    const selection = { destinationTable: tableOf(), ...append };
    const { jobId } = originOf();
    await write(1, selection, originOf(jobId));
    await lab().server.order({ shown: { table: selection.destinationTable, text: 'Ask Ada.' } });
    await write(2, selection, originOf(jobId));
    await write(3, selection, originOf(jobId));
    expect((await lab().read(selection.destinationTable))!.map(([id]) => id)).toEqual([1, 2, 3]);
    const sql = `SELECT comment FROM writes.information_schema.tables WHERE table_name = :p1`;
    const { rows } = await lab().databricks.run({ sql, binds: [selection.destinationTable] });
    expect(rows[0]![0]).toMatch(/^Ask Ada\.\n\[sluice \{[^\n]*\}\]$/);
  });

  test('without the grants for it fails with CONFIG, and says what to grant', async () => {
    const destinationTable = tableOf();
    for (const words of ['CREATE TABLE `writes`.`raw`', 'CREATE OR REPLACE TABLE']) {
      await lab().server.order(refusing(words, 'INSUFFICIENT_PERMISSIONS', '42501'));
      await expect(write(1, { destinationTable })).rejects.toMatchObject({
        kind: 'CONFIG',
        message: expect.stringContaining('may not write there'),
        fix: expect.stringContaining('CREATE TABLE on the schema'),
      });
    }
  });
});

test('a datastore without a volume, with a wrong one, or without grants on it fails with CONFIG and changes nothing', async () => {
  const { login, account } = lab().server;
  const destinationTable = tableOf();
  for (const volume of [undefined, '/Volumes/writes/default/missing']) {
    const { volume: _volume, ...rest } = login;
    await using databricks = openDatabricks({ ...rest, token: account.token, volume });
    const context = { ...lab().context(), datastore: async () => ({ name: 'other', warehouse: databricks }) };
    const writing = (async () => {
      await using session = await datastoreDestination.open({}, context);
      await using writer = await session.stream(originOf(), selectionOf('orders', { destinationTable }));
      await writer.begin(columns, false);
      await writer.stage(row(1), 'p', never, () => undefined);
    })();
    await expect(writing).rejects.toMatchObject({
      kind: 'CONFIG',
      message: expect.stringMatching(/volume/i) as unknown,
    });
  }
  await lab().server.order({ trouble: { filesStatus: 403, filesCount: 1 } });
  await expect(write(1, { destinationTable })).rejects.toMatchObject({
    kind: 'CONFIG',
    message: expect.stringContaining('WRITE VOLUME') as unknown,
  });
  expect(await lab().read(destinationTable)).toBeNull();
});

test('the catalog shows what is published, and nothing of what is staged or kept to publish it', async () => {
  const destinationTable = tableOf();
  await withWriter(originOf(), { destinationTable }, async (writer) => {
    await writer.begin(columns, false);
    await writer.stage(row(1), 'p', never, () => undefined);
    const names = async () =>
      (await lab().databricks.tables()).map(({ schema, name }) => `${schema}.${name}`);
    expect(await lab().staged()).not.toEqual([]);
    expect((await names()).filter((name) => name.includes('_sluice'))).toEqual([]);
    const before = (await lab().databricks.schemas()).find(({ schema }) => schema === 'raw')!.tables;
    await writer.publish(null, null);
    expect(await names()).toContain(`raw.${destinationTable}`);
    const schemas = await lab().databricks.schemas();
    expect(schemas.map(({ schema }) => schema)).not.toContain('_sluice');
    expect(schemas.find(({ schema }) => schema === 'raw')!.tables - before).toBe(1);
  });
});

test('names of tables and columns are taken as they are written', async () => {
  await using session = await datastoreDestination.open({ schema: 'my`raw' }, lab().context());
  await using writer = await session.stream(originOf(), selectionOf('select;größe'));
  await writer.begin(columnsOf({ 'group by': 'INTEGER', "it's": 'INTEGER', 'naïve "x"': 'INTEGER' }), false);
  const scan = `SELECT 1 AS "group by", 2 AS "it's", 3 AS "naïve ""x"""`;
  await writer.stage(partOf(scan), `part 'of' "names" \\ 漢字`, never, () => undefined);
  await writer.publish(null, null);
  const { columns: named, rows } = await lab().databricks.run({
    sql: 'SELECT * FROM writes.`my``raw`.`select;größe`',
  });
  expect([named.map(({ name }) => name), rows]).toEqual([['group by', "it's", 'naïve "x"'], [[1, 2, 3]]]);
});

test('a view of the table’s name is refused with SCHEMA', async () => {
  await write(1, { destinationTable: tableOf() });
  await lab().databricks.run({ sql: 'CREATE VIEW writes.raw.seen AS SELECT 1 AS id' });
  await expect(write(1, { destinationTable: 'seen' })).rejects.toMatchObject({ kind: 'SCHEMA' });
});

test('check says what is there, and changes nothing', async () => {
  const before = await told();
  const { ok, message } = await datastoreDestination.check({ schema: 'nowhere' }, lab().context());
  expect([ok, message]).toEqual([true, 'Databricks datastore "databricks", 0 tables in schema "nowhere".']);
  const texts = (await told()).texts.slice(before.texts.length);
  expect(texts.filter((text) => !text.startsWith('SELECT'))).toEqual([]);
});
