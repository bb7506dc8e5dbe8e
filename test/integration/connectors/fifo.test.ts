import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Fifos, makeFifos } from '#connectors/fifo.ts';
import { type DuckDbWarehouse, openDuckDb } from '#warehouse/duckdb.ts';

let pipes: string;
let fifos: Fifos;
let duckDb: DuckDbWarehouse;
beforeEach(async () => {
  pipes = await realpath(await mkdtemp(join(tmpdir(), 'sluice-fifo-')));
  fifos = makeFifos(pipes);
  duckDb = await openDuckDb({ path: ':memory:', allowedDirectories: [pipes] });
});
afterEach(async () => {
  await fifos[Symbol.asyncDispose]();
  await duckDb[Symbol.asyncDispose]();
  await rm(pipes, { recursive: true, force: true });
});

async function scan(path: string): Promise<unknown[][]> {
  await using session = await duckDb.session();
  return session.rows(
    `SELECT count(*), sum(n) FROM read_csv('${path}', columns = {'n': 'BIGINT'}, header = false, auto_detect = false, parallel = false)`,
  );
}

test('what is written to it is what a scan reads', async () => {
  await using fifo = await fifos.open();
  const scanning = scan(fifo.path);
  const writer = await fifo.writer;
  for (let at = 0; at < 200; at += 1)
    writer.write(`${Array.from({ length: 1000 }, (_, n) => at * 1000 + n).join('\n')}\n`);
  writer.end();
  expect(await scanning).toEqual([[200_000n, '19999900000']]);
});

test('disposing ends a scan that waits for bytes, however many wait at once', async () => {
  const opened = await Promise.all(Array.from({ length: 3 }, () => fifos.open()));
  const scans = opened.map((fifo) => scan(fifo.path));
  await Promise.all(opened.map((fifo) => fifo.writer));
  for (const fifo of opened) await fifo[Symbol.asyncDispose]();
  expect(await Promise.all(scans)).toEqual(opened.map(() => [[0n, null]]));
});

test('disposing releases a scan that is only just opening it', async () => {
  const fifo = await fifos.open();
  const scanning = scan(fifo.path).catch((error: unknown) => error);
  await fifo[Symbol.asyncDispose]();
  // Either it was let in and read nothing, or it came too late and found nothing: it never waits.
  await scanning;
});

test('nothing is left in the folder, read or not', async () => {
  const [read, unread] = [await fifos.open(), await fifos.open()];
  const scanning = scan(read.path);
  (await read.writer).end();
  await scanning;
  await read[Symbol.asyncDispose]();
  await unread[Symbol.asyncDispose]();
  await fifos[Symbol.asyncDispose]();
  expect(await readdir(pipes)).toEqual([]);
});
