import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refreshCatalog } from '#catalog/refresh.ts';
import { openBenchGateway } from './gateway.ts';
import { machine, printTable } from './table.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** What so many endpoints in a folder cost a process of `sluice serve`: to start, at the first call, and in memory. */
export async function benchManyEndpoints({ endpoints }: { endpoints: number }): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-many-'));
  try {
    const token = await prepareHome(home);
    const empty = join(home, 'none');
    const folder = join(home, 'endpoints');
    await mkdir(empty);
    await writeFiles(folder, endpoints);
    const rows = [
      await measure('none', { home, folder: empty, token }),
      await measure(`${endpoints}, published at this start`, { home, folder, token }),
      await measure(`${endpoints}, published before`, { home, folder, token }),
    ];
    printTable(
      `endpoints: ${endpoints.toLocaleString('en')} of them in a folder; ${machine()}`,
      ['endpoints', 'ready, s', 'first REST call, ms', 'first GraphQL call, ms', 'second, ms', 'resident MB'],
      rows,
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** A member, and a table to read. */
async function prepareHome(home: string): Promise<string> {
  await using gateway = await openBenchGateway({ SLUICE_HOME: home, SLUICE_ENDPOINTS: join(home, 'none') });
  const { app, viewer, token } = gateway;
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  await warehouse.run({ sql: 'CREATE SCHEMA raw' });
  await warehouse.run({
    sql: `CREATE TABLE raw.users AS SELECT n AS id, 'user ' || n AS name, n % 5 > 0 AS active FROM range(10000) AS t (n)`,
  });
  await refreshCatalog(app.catalog, viewer);
  return token;
}

async function writeFiles(folder: string, endpoints: number): Promise<void> {
  await mkdir(folder);
  for (let n = 1; n <= endpoints; n += 1) {
    const yaml = `metadata: { name: users_${n}, version: 1, description: Some users., owner: bench }
route: /users/some_${n}
query: SELECT id, name, active FROM raw.users WHERE active = :active AND id % ${n} = 0
params:
  - { name: active, type: boolean, default: true }
pagination: { key: [id] }
`;
    await writeFile(join(folder, `users_${n}.yaml`), yaml);
  }
}

async function measure(
  title: string,
  { home, folder, token }: { home: string; folder: string; token: string },
): Promise<string[]> {
  const port = 20_000 + (process.pid % 20_000);
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const child = spawn(process.execPath, [main, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      UV_THREADPOOL_SIZE: '16',
      MALLOC_ARENA_MAX: '2',
      SLUICE_HOME: home,
      SLUICE_FILES_ROOT: join(home, 'files'),
      SLUICE_ENDPOINTS: folder,
      SLUICE_PORT: String(port),
      SLUICE_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    const seconds = await untilReady(url, child, startedAt);
    const timed = async (path: string, body?: string) => {
      const askedAt = performance.now();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const method = body === undefined ? 'GET' : 'POST';
      const response = await fetch(url + path, { method, headers, body: body ?? null });
      await response.arrayBuffer();
      return (performance.now() - askedAt).toFixed(0);
    };
    const rest = await timed('/api/v1/users/some_7?first=5');
    const query = JSON.stringify({ query: '{ data { users7(first: 5) { nodes { id name } } } }' });
    const first = await timed('/graphql', query);
    const second = await timed('/graphql', query);
    return [title, seconds.toFixed(1), rest, first, second, await residentMb(child)];
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function untilReady(url: string, child: ChildProcess, startedAt: number): Promise<number> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`It ended with code ${child.exitCode}.`);
    const answer = await fetch(`${url}/ready`).catch(() => undefined);
    if (answer?.ok) return (performance.now() - startedAt) / 1_000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function residentMb({ pid }: ChildProcess): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]);
  return Number.isNaN(kib) ? 'unknown' : (kib / 1024).toFixed(0);
}
