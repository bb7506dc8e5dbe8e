import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { ConnectorContext, StreamSelection, StreamWriter, WriteOrigin } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { nameSql, toStatement } from '#warehouse/sql.ts';
import type { Answer, Warehouse } from '#warehouse/warehouse.ts';
import { type Mover, originOf, selectionOf } from '../support/move-stream.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';

/** A cloud's engine of which files are put and loaded, and what goes wrong there by order. */
export interface WritesLab {
  mover: Mover;
  warehouse: Warehouse;
  database: string;
  context(signal?: AbortSignal): ConnectorContext;
  /** The rows of a table of the schema "raw", ordered by all columns; null when there is none. */
  read(table: string): Promise<unknown[][] | null>;
  /** What is staged and not published: hidden tables, and files. */
  staged(): Promise<string[]>;
  run(sql: string): Promise<Answer>;
  /** Statements that ran, and files that lie where they are loaded from. */
  told(): Promise<{ texts: string[]; staged: string[] }>;
  /** The next statement with these words fails in passing; or for want of a grant. */
  fail(words: string): Promise<unknown>;
  deny(words: string): Promise<unknown>;
  /** So many files that are put are refused. */
  breakUploads(count: number): Promise<unknown>;
  /** What only the statement that makes a staged table has in it. */
  staging: string;
  /** The comment of a table of the schema "raw". */
  noteOf(table: string): Promise<string>;
  /** Names as odd as the engine takes them. */
  oddNames: { schema: string; name: string };
}

export const never = new AbortController().signal;
export const columns = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });
export const append = { writeMode: 'APPEND' } as const;
export const row = (id: number, v = 'a') => partOf(`SELECT ${id} AS id, '${v}' AS v`);
export const tableOf = () => `t_${newId().slice(-12)}`;

/** Streams of the destination of that lab. */
export function writersOf(lab: () => Pick<WritesLab, 'context'>) {
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
  return { withWriter, write };
}

/** What writing into every such engine guarantees, beside what each destination does. */
export function writesSuite(name: string, lab: () => WritesLab): void {
  const { withWriter, write } = writersOf(lab);
  const nameOf = (of: { schema: string; name: string }) =>
    toStatement(nameSql(lab().database, of.schema, of.name), lab().warehouse.dialect).sql;
  const named = (table: string) => nameOf({ schema: 'raw', name: table });

  describe(`a file on its way into ${name}`, () => {
    test('is loaded, and gone from the disk and from where it was put', async () => {
      const destinationTable = tableOf();
      await write(1, { destinationTable });
      expect(await lab().read(destinationTable)).toEqual([[1, 'a']]);
      expect((await lab().told()).staged).toEqual([]);
      expect(await readdir(lab().mover.pipesDir)).toEqual([]);
    });

    test('that cannot be uploaded fails for now, and leaves nothing', async () => {
      const destinationTable = tableOf();
      await lab().breakUploads(1_000);
      await expect(write(1, { destinationTable })).rejects.toMatchObject({ kind: 'TRANSIENT' });
      await lab().breakUploads(0);
      expect(await lab().read(destinationTable)).toBeNull();
      expect(await write(1, { destinationTable })).toBe(1n);
    });
  });

  describe(`a publish to ${name}`, () => {
    test('that was announced but not done before a crash is done by the next attempt, from what is staged', async () => {
      const destinationTable = tableOf();
      const origin = originOf();
      await lab().fail('CREATE OR REPLACE TABLE');
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
      const { quoteName } = lab().warehouse.dialect;
      const origin = originOf();
      // The first settles what was published before it; the second what this one published.
      await lab().fail(`${quoteName('next_task')} = NULL`);
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
      await write(1, { destinationTable }, originOf(jobId));
      await lab().run(`COMMENT ON TABLE ${named(destinationTable)} IS 'Orders of the shop.\nAsk Ada.'`);
      await write(2, { destinationTable }, originOf(jobId));
      await write(3, { destinationTable }, originOf(jobId));
      expect(await lab().noteOf(destinationTable)).toMatch(
        /^Orders of the shop\.\nAsk Ada\.\n\[sluice \{[^\n]*\}\]$/,
      );
    });

    test('without the grants for it fails with CONFIG, and says what to grant', async () => {
      const destinationTable = tableOf();
      for (const words of [lab().staging, 'CREATE OR REPLACE TABLE']) {
        await lab().deny(words);
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
      const names = async () =>
        (await lab().warehouse.tables()).map(({ schema, name }) => `${schema}.${name}`);
      expect(await lab().staged()).not.toEqual([]);
      expect((await names()).filter((name) => name.includes('_sluice'))).toEqual([]);
      const before = (await lab().warehouse.schemas()).find(({ schema }) => schema === 'raw')!.tables;
      await writer.publish(null, null);
      expect(await names()).toContain(`raw.${destinationTable}`);
      const schemas = await lab().warehouse.schemas();
      expect(schemas.map(({ schema }) => schema)).not.toContain('_sluice');
      expect(schemas.find(({ schema }) => schema === 'raw')!.tables - before).toBe(1);
    });
  });

  test('names of tables and columns are taken as they are written', async () => {
    const { schema, name: table } = lab().oddNames;
    await using session = await datastoreDestination.open({ schema }, lab().context());
    await using writer = await session.stream(originOf(), selectionOf(table));
    const given = ['group by', "it's", 'naïve "x"'];
    await writer.begin(columnsOf(Object.fromEntries(given.map((each) => [each, 'INTEGER']))), false);
    const scan = `SELECT 1 AS "group by", 2 AS "it's", 3 AS "naïve ""x"""`;
    await writer.stage(partOf(scan), `part 'of' "names" \\ 漢字`, never, () => undefined);
    await writer.publish(null, null);
    const { columns: named, rows } = await lab().run(`SELECT * FROM ${nameOf({ schema, name: table })}`);
    expect(named.map((column) => column.name)).toEqual(given);
    expect(rows.map((row) => row.map(Number))).toEqual([[1, 2, 3]]);
  });

  test('a view of the table’s name is refused with SCHEMA', async () => {
    const { quoteName } = lab().warehouse.dialect;
    await write(1, { destinationTable: tableOf() });
    await lab().run(`CREATE VIEW ${named('seen')} AS SELECT 1 AS ${quoteName('id')}`);
    await expect(write(1, { destinationTable: 'seen' })).rejects.toMatchObject({ kind: 'SCHEMA' });
  });

  test('check says what is there, and changes nothing', async () => {
    const before = (await lab().told()).texts.length;
    const { ok, message } = await datastoreDestination.check({ schema: 'nowhere' }, lab().context());
    expect([ok, message]).toEqual([
      true,
      `${name} datastore "${name.toLowerCase()}", 0 tables in schema "nowhere".`,
    ]);
    const texts = (await lab().told()).texts.slice(before);
    expect(texts.filter((text) => !text.startsWith('SELECT'))).toEqual([]);
  });
}
