import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { originOf } from '../support/move-stream.ts';
import { openSnowflakeLab, type SnowflakeLab } from '../support/snowflake-lab.ts';
import { append, columns, row, tableOf, writersOf, writesSuite } from './cloud-writes.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const told = () => lab().server.order({ tell: true });

const { withWriter, write } = writersOf(lab);

describe('a file on its way into Snowflake', () => {
  test('is encrypted by the client', async () => {
    const destinationTable = tableOf();
    const before = await told();
    await write(1, { destinationTable });
    expect((await told()).uploads - before.uploads).toBe(1);
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

  test('into a table that somebody made in capitals finds its columns', async () => {
    const destinationTable = tableOf();
    const name = `"WRITES"."raw"."${destinationTable}"`;
    await lab().snowflake.run({ sql: `CREATE TABLE ${name} (ID NUMBER(38,0), V VARCHAR(50))` });
    await write(1, { destinationTable, ...append });
    const { columns: named, rows } = await lab().snowflake.run({ sql: `SELECT * FROM ${name}` });
    expect([named.map((column) => column.name), rows]).toEqual([['ID', 'V'], [[1n, 'a']]]);
  });
});

writesSuite('Snowflake', () => ({
  ...lab(),
  warehouse: lab().snowflake,
  database: 'WRITES',
  run: (sql) => lab().snowflake.run({ sql }),
  told,
  fail: (words) => lab().server.order({ before: { words, how: 'refuse' } }),
  deny: (words) => lab().server.order({ before: { words, how: 'deny' } }),
  breakUploads: (uploads) => lab().server.order({ trouble: { uploads } }),
  staging: 'CREATE TRANSIENT TABLE',
  async noteOf(table) {
    const sql = 'SELECT COMMENT FROM "WRITES".INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = ?';
    return (await lab().snowflake.run({ sql, binds: [table] })).rows[0]![0] as string;
  },
  oddNames: { schema: 'My "raw"', name: 'select; "Größe"' },
}));
