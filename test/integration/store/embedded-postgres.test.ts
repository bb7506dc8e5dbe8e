import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '#base/log.ts';
import { connect } from '#store/connect.ts';
import { openStore } from '#store/open-store.ts';
import {
  isServerAlive,
  opened,
  programFile,
  startStoreProcess,
  temporaryHome,
  until,
} from './store-process.ts';

const log = createLog('silent');
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
// Only root can be somebody else, and only where that somebody can read this repository.
const canBeNobody =
  spawnSync(asNobody[0]!, [...asNobody.slice(1), process.execPath, '--check', programFile]).status === 0;

test('a first start makes the home, a second one finds what the first has written', async () => {
  await using place = await temporaryHome();
  const { home } = place;
  const options = { databaseUrl: undefined, home, role: 'serve', log } as const;
  const first = await openStore(options);
  await first.db.account.create({ data: { id: first.homeId, name: 'Ann', createdAt: new Date(0) } });
  const { rows } = await first.pool.query(
    `SELECT current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding, upper('ä') AS upper`,
  );
  expect(rows).toEqual([{ fsync: 'on', encoding: 'UTF8', upper: 'Ä' }]);
  await first[Symbol.asyncDispose]();
  await expect(stat(path.join(home, 'postgres', 'data', 'postmaster.pid'))).rejects.toThrow('ENOENT');

  await using second = await openStore(options);
  expect(second.homeId).toBe(first.homeId);
  expect(await second.db.account.findMany({ select: { name: true } })).toEqual([{ name: 'Ann' }]);
});

test("the password's file is closed to others, and the server to whoever has not the password", async () => {
  await using place = await temporaryHome();
  await using store = await openStore({ databaseUrl: undefined, home: place.home, role: 'serve', log });
  expect((await stat(path.join(place.home, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
  expect((await stat(path.join(place.home, 'postgres'))).mode & 0o777).toBe(0o700);
  const url = new URL(store.databaseUrl);
  expect(url.hostname).toBe('127.0.0.1');
  url.password = 'guessed';
  await expect(connect(url.toString(), 'test')).rejects.toThrow('refuses the user "sluice"');
});

test('a server whose process was killed is used again, and stopped by the next that ends in peace', async () => {
  await using place = await temporaryHome();
  await using killed = await startStoreProcess(place.home);
  const { postgresPid } = opened(killed);
  await killed.end('SIGKILL');
  expect(await isServerAlive(place.home, postgresPid)).toBe(true);

  await using next = await startStoreProcess(place.home);
  expect(opened(next).postgresPid).toBe(postgresPid);
  expect(await next.end('SIGTERM')).toBe(0);
  expect(await isServerAlive(place.home, postgresPid)).toBe(false);
});

test('whoever leaves last stops the server: one that others use goes on', async () => {
  await using place = await temporaryHome();
  await using serving = await startStoreProcess(place.home, 'serve');
  const { postgresPid } = opened(serving);
  await using migrating = await startStoreProcess(place.home, 'migrate');
  expect(opened(migrating).postgresPid).toBe(postgresPid);
  expect(await serving.end('SIGTERM')).toBe(0);
  expect(await isServerAlive(place.home, postgresPid)).toBe(true);
  expect(await migrating.end('SIGTERM')).toBe(0);
  expect(await isServerAlive(place.home, postgresPid)).toBe(false);
});

test('processes that start at once in a new home share one server and one id', async () => {
  await using place = await temporaryHome();
  const starting = ['worker', 'migrate', 'worker'].map((role) => startStoreProcess(place.home, role));
  const processes = await Promise.all(starting);
  onTestFinished(async () => {
    for (const process of processes) await process[Symbol.asyncDispose]();
  });
  const all = processes.map(opened);
  expect(new Set(all.map((one) => one.postgresPid)).size).toBe(1);
  expect(new Set(all.map((one) => one.homeId)).size).toBe(1);
  expect((await readdir(place.home)).sort()).toEqual(['home-id', 'postgres']);
  await Promise.all(processes.map((process) => process.end('SIGTERM')));
  await until('the server has ended', async () => !(await isServerAlive(place.home, all[0]!.postgresPid)));
});

test('a second process that serves from the same home is refused with the pid of the first, until that is killed', async () => {
  await using place = await temporaryHome();
  await using first = await startStoreProcess(place.home);
  opened(first);
  await using second = await startStoreProcess(place.home);
  expect(second.said).toEqual({
    ready: false,
    code: 'CONFLICT',
    message: `Sluice serves from the home ${place.home} already (process ${first.child.pid}).`,
    fix: `Stop process ${first.child.pid}, or set SLUICE_HOME and SLUICE_PORT to others to run a second one.`,
  });
  await first.end('SIGKILL');
  await using third = await startStoreProcess(place.home);
  expect(third.said.ready).toBe(true);
  expect(await third.end('SIGTERM')).toBe(0);
});

test('a postmaster.pid whose number another program has by now does not stop a start, nor is that program stopped', async () => {
  await using place = await temporaryHome();
  await using first = await startStoreProcess(place.home);
  const file = path.join(place.home, 'postgres', 'data', 'postmaster.pid');
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(await first.end('SIGTERM')).toBe(0);
  lines[0] = String(process.pid);
  await writeFile(file, lines.join('\n'));
  await using store = await openStore({ databaseUrl: undefined, home: place.home, role: 'serve', log });
  expect(await store.db.account.count()).toBe(0);
});

test('a postmaster.pid that a power cut left behind does not stop a start', async () => {
  await using place = await temporaryHome();
  await using first = await startStoreProcess(place.home);
  const { postgresPid } = opened(first);
  await first.end('SIGKILL');
  process.kill(postgresPid, 'SIGKILL');
  await until('the server is dead', async () => !(await isServerAlive(place.home, postgresPid)));
  await using second = await startStoreProcess(place.home);
  expect(opened(second).postgresPid).not.toBe(postgresPid);
  expect(await second.end('SIGTERM')).toBe(0);
});

test('a home below a folder that only its owner may enter works, for root too', async () => {
  await using place = await temporaryHome(0o700);
  await using store = await openStore({ databaseUrl: undefined, home: place.home, role: 'serve', log });
  expect(await store.db.account.count()).toBe(0);
});

test.runIf(canBeNobody)('an ordinary user starts it too', async () => {
  await using place = await temporaryHome(0o777);
  await using started = await startStoreProcess(place.home, 'serve', asNobody);
  const { postgresPid } = opened(started);
  expect((await stat(`/proc/${postgresPid}`)).uid).toBe(65534);
  expect((await stat(place.home)).mode & 0o777).toBe(0o700);
  expect(await started.end('SIGTERM')).toBe(0);
});

test.runIf(canBeNobody)('what one user has made another may not open, and is told whose it is', async () => {
  await using place = await temporaryHome(0o777);
  await using first = await startStoreProcess(place.home);
  expect(await first.end('SIGTERM')).toBe(0);
  await chmod(place.home, 0o777);
  await using second = await startStoreProcess(place.home, 'serve', asNobody);
  expect(second.said).toMatchObject({
    ready: false,
    message: expect.stringMatching(/belongs to the user with id \d+/),
  });
});

test('a home that cannot be one says why and what to do', async () => {
  await using place = await temporaryHome();
  const folder = path.dirname(place.home);
  const open = (home: string) => openStore({ databaseUrl: undefined, home, role: 'serve', log });
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  await expect(open(file)).rejects.toMatchObject({
    message: expect.stringContaining('holds a file'),
    fix: expect.any(String),
  });
  await expect(open(path.join(file, 'below'))).rejects.toThrow('holds a file');

  const other = path.join(folder, 'other');
  await mkdir(path.join(other, 'postgres'), { recursive: true });
  await writeFile(path.join(other, 'postgres', 'thesis.txt'), '');
  await expect(open(other)).rejects.toThrow('holds something, but no PostgreSQL data');

  const older = path.join(folder, 'older');
  await mkdir(path.join(older, 'postgres', 'data'), { recursive: true });
  await writeFile(path.join(older, 'postgres', 'data', 'PG_VERSION'), '14\n');
  await expect(open(older)).rejects.toMatchObject({
    message: expect.stringMatching(/holds data of PostgreSQL 14; .* brings PostgreSQL \d+/),
    fix: expect.stringContaining('pg_dump'),
  });
});

test.runIf(canBeNobody)('a home that this user may not write to says so', async () => {
  await using place = await temporaryHome(0o755);
  await using process = await startStoreProcess(place.home, 'serve', asNobody);
  expect(process.said).toMatchObject({
    ready: false,
    message: expect.stringContaining('may not write to (EACCES)'),
  });
});
