import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { openDatabricks } from '#warehouse/databricks.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { openDatabricksLab, type DatabricksLab } from '../support/databricks-lab.ts';
import { append, columns, never, row, tableOf, writersOf, writesSuite } from './cloud-writes.suite.ts';

const opened: { lab?: DatabricksLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openDatabricksLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const told = () => lab().server.order({ tell: true });

const { write } = writersOf(lab);
const noteOf = async (table: string) => {
  const sql = `SELECT comment FROM writes.information_schema.tables WHERE table_name = :p1`;
  return (await lab().databricks.run({ sql, binds: [table] })).rows[0]![0] as string;
};

/** The next statement with these words fails. */
const refuse = (words: string, condition: string, sqlState: string) =>
  lab().server.order({ trouble: { words, refused: [condition, sqlState, 'A test says so.'] } });

writesSuite('Databricks', () => ({
  ...lab(),
  warehouse: lab().databricks,
  database: 'writes',
  run: (sql) => lab().databricks.run({ sql }),
  told,
  fail: (words) => refuse(words, 'INTERNAL_ERROR', 'XX000'),
  deny: (words) => refuse(words, 'INSUFFICIENT_PERMISSIONS', '42501'),
  breakUploads: (filesCount) => lab().server.order({ trouble: { filesStatus: 503, filesCount } }),
  staging: 'CREATE TABLE `writes`.`raw`',
  noteOf,
  oddNames: { schema: 'my`raw', name: 'select;größe' },
}));

describe('a file on its way into Databricks', () => {
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
});

describe('a publish to Databricks', () => {
  test('goes on, and keeps what people noted in the catalog alone, which the log of the table does not know', async () => {
    const selection = { destinationTable: tableOf(), ...append };
    const { jobId } = originOf();
    await write(1, selection, originOf(jobId));
    await lab().server.order({ shown: { table: selection.destinationTable, text: 'Ask Ada.' } });
    await write(2, selection, originOf(jobId));
    await write(3, selection, originOf(jobId));
    expect((await lab().read(selection.destinationTable))!.map(([id]) => id)).toEqual([1, 2, 3]);
    expect(await noteOf(selection.destinationTable)).toMatch(/^Ask Ada\.\n\[sluice \{[^\n]*\}\]$/);
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
