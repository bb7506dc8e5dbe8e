import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { createLog } from '#base/log.ts';
import { connect } from '#store/connect.ts';
import { startEmbeddedPostgres, stopEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { migrate } from '#store/migrate.ts';

export const templateName = 'sluice_template';
const prefix = 'sluice-test-';

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's URL of the run's PostgreSQL. */
    postgresUrl: string;
  }
}

interface Run {
  url: string;
  stop(): Promise<void>;
}

// Every project that needs it comes by here, in one process: they share the server of the first.
const shared = globalThis as { sluiceTestPostgres?: Promise<Run>; sluiceTestProjects?: number };

/** Starts one PostgreSQL a run, with a migrated template in it, and ends it after the last project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.sluiceTestProjects = (shared.sluiceTestProjects ?? 0) + 1;
  shared.sluiceTestPostgres ??= start();
  const run = await shared.sluiceTestPostgres;
  project.provide('postgresUrl', run.url);
  return async () => {
    shared.sluiceTestProjects = (shared.sluiceTestProjects ?? 1) - 1;
    if (shared.sluiceTestProjects > 0) return;
    delete shared.sluiceTestPostgres;
    await run.stop();
  };
}

async function start(): Promise<Run> {
  const log = createLog('warn');
  await removeLeftovers();
  const folder = await mkdtemp(path.join(tmpdir(), `${prefix}${process.pid}-`));
  await chmod(folder, 0o755);
  const settings = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
  };
  const server = await startEmbeddedPostgres({ folder: path.join(folder, 'postgres'), log, settings });
  const client = await connect(server.url('postgres'), 'sluice tests');
  await client.query(`CREATE DATABASE ${templateName}`);
  await client.end();
  await migrate(server.url(templateName));
  return {
    url: server.url('postgres'),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A run that was killed leaves its server behind; the next run ends it. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (!pid || isAlive(Number(pid))) continue;
    const folder = path.join(tmpdir(), name);
    await stopEmbeddedPostgres(path.join(folder, 'postgres'), createLog('warn'));
    await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
