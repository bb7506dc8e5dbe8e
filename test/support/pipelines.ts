import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSecretBox } from '#accounts/secrets.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { createLog } from '#base/log.ts';
import { createEmbeddedDatastore, openDatastores } from '#catalog/datastores.ts';
import type { DestinationConnector, SourceConnector } from '#connectors/contract.ts';
import { destinationConnector, sourceConnector } from '#connectors/registry.ts';
import type { PipelineDeps } from '#pipelines/deps.ts';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob, type CreateJobInput } from '#pipelines/jobs.ts';
import { createSource } from '#pipelines/sources.ts';
import { openTaskFeed } from '#pipelines/task-feed.ts';
import { openQueue } from '#queue/open-queue.ts';
import { openStore } from '#store/open-store.ts';
import { createTestDatabase } from './database.ts';

export interface TestPipelines extends AsyncDisposable {
  deps: PipelineDeps;
  databaseUrl: string;
  /** The owner of a project with an embedded warehouse. */
  viewer: Viewer;
}

/** The pipelines of one process on a database of its own, or on that of another one as a second process. */
export async function openTestPipelines(
  options: {
    databaseUrl?: string;
    source?: SourceConnector;
    destination?: DestinationConnector;
    now?(): Date;
    role?: 'serve' | 'worker';
  } = {},
): Promise<TestPipelines> {
  await using opening = new AsyncDisposableStack();
  const databaseUrl = options.databaseUrl ?? opening.use(await createTestDatabase()).url;
  const home = await mkdtemp(join(tmpdir(), 'sluice-pipelines-'));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  const log = createLog((process.env.TEST_LOG as 'debug' | undefined) ?? 'error');
  const role = options.role ?? 'worker';
  const store = opening.use(await openStore({ databaseUrl, home, role, log }));
  const queue = opening.use(await openQueue(store, log));
  const feed = opening.use(await openTaskFeed(store, log));
  const secrets = await openSecretBox({ home, secretKey: Buffer.alloc(32, 1) });
  const { db, homeId } = store;
  const datastores = opening.use(
    openDatastores({ db, home, homeId, secrets, opensEmbedded: role === 'serve', scanDirectories: [home] }),
  );
  const deps: PipelineDeps = {
    store,
    queue,
    feed,
    log,
    secrets,
    datastores,
    connectors: {
      source: (type, version) => (type === 'slow' ? options.source : sourceConnector(type, version)),
      destination: (type, version) =>
        type === 'memory' ? options.destination : destinationConnector(type, version),
    },
    filesRoot: home,
    pipesDir: home,
    homeId,
    now: options.now ?? (() => new Date()),
    parallel: 2,
    findBreaks: () => Promise.resolve([]),
  };
  const viewer = await createProject(deps);
  const open = opening.move();
  return { deps, databaseUrl, viewer, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** A project of an account of its own, and its owner. */
export async function createProject(deps: PipelineDeps): Promise<Viewer> {
  const { db } = deps.store;
  const ids = { account: newId(), project: newId(), member: newId() };
  const createdAt = new Date();
  await db.account.create({ data: { id: ids.account, name: 'Test', createdAt } });
  await db.project.create({
    data: { id: ids.project, accountId: ids.account, slug: 'test', name: 'Test', createdAt },
  });
  await db.member.create({
    data: {
      id: ids.member,
      accountId: ids.account,
      username: `ada-${ids.member}`,
      email: `ada-${ids.member}@example.com`,
      passwordHash: '',
      role: 'OWNER',
      createdAt,
    },
  });
  await db.$transaction((tx) =>
    createEmbeddedDatastore(tx, {
      projectId: ids.project,
      memberId: ids.member,
      homeId: deps.homeId,
      at: createdAt,
    }),
  );
  return {
    accountId: ids.account,
    projectId: ids.project,
    memberId: ids.member,
    apiKeyId: null,
    role: 'OWNER',
    scopes: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
    sessionId: null,
  };
}

/** A job from the slow source to the memory destination. */
export async function createSlowJob(
  { deps, viewer }: Pick<TestPipelines, 'deps' | 'viewer'>,
  job: Partial<CreateJobInput> & Pick<CreateJobInput, 'streams'>,
) {
  const suffix = newId();
  const source = await createSource(deps, viewer, {
    name: `slow ${suffix}`,
    type: 'slow',
    config: { host: 'here' },
  });
  const destination = await createDestination(deps, viewer, {
    name: `memory ${suffix}`,
    type: 'memory',
    config: {},
  });
  return createJob(deps, viewer, {
    name: `job ${suffix}`,
    sourceId: source.id,
    destinationId: destination.id,
    ...job,
  });
}

/** The lines of a task's log, as "LEVEL stream: message". */
export async function logOf(deps: PipelineDeps, taskId: string): Promise<string[]> {
  const lines = await deps.store.db.taskLog.findMany({ where: { taskId }, orderBy: { seq: 'asc' } });
  return lines.map(
    ({ level, stream, message }) => `${level} ${stream === null ? '' : `${stream}: `}${message}`,
  );
}

/** The problems that the call fails with, as "CODE path". */
export async function problemsOf(call: Promise<unknown>): Promise<string[]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof InputError)) throw new Error('no InputError', { cause: error });
  return error.problems.map((problem) => `${problem.code} ${problem.path.join('.')}`);
}
