import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import type { AccountDeps } from '#accounts/deps.ts';
import { openSecretBox, type SecretBox } from '#accounts/secrets.ts';
import { createLog, type Log } from '#base/log.ts';
import type { FindBreaks } from '#catalog/breaks.ts';
import { createEmbeddedDatastore, type Datastores, openDatastores } from '#catalog/datastores.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import { Memory } from '#catalog/memory.ts';
import { followWrites } from '#catalog/written.ts';
import type { Config } from '#config.ts';
import type { EndpointDeps } from '#endpoints/deps.ts';
import { followFolder } from '#endpoints/follow-folder.ts';
import { openRates } from '#endpoints/rates.ts';
import { openRegistry } from '#endpoints/registry.ts';
import { openUsage } from '#endpoints/usage.ts';
import { metricBreaks } from '#metrics/broken-metrics.ts';
import { openSeries } from '#metrics/open-series.ts';
import type { SignalDeps } from '#metrics/signal-deps.ts';
import { startSignals } from '#metrics/start-signals.ts';
import { formulaBreaks } from '#pipelines/broken-formulas.ts';
import type { PipelineDeps } from '#pipelines/deps.ts';
import { startWorkers } from '#pipelines/start-workers.ts';
import { openTaskFeed } from '#pipelines/task-feed.ts';
import { destinationConnector, sourceConnector } from '#connectors/registry.ts';
import { makeWorkFolder, removeWorkFolder } from '#connectors/work-folder.ts';
import { openQueue } from '#queue/open-queue.ts';
import { openStore, type Store } from '#store/open-store.ts';

/** Everything a process of Sluice holds open, in the shape that each floor's functions ask for. */
export interface App extends AsyncDisposable {
  config: Config;
  log: Log;
  store: Store;
  accounts: AccountDeps;
  catalog: CatalogDeps;
  metrics: SignalDeps;
  pipelines: PipelineDeps;
  endpoints: EndpointDeps;
}

/** `serve` answers questions and opens the embedded warehouses of its home; `worker` only runs tasks that others can. */
export type Role = 'serve' | 'worker';

/** The only seam for tests: a part that is given is not opened, and not closed either. */
export interface Overrides {
  store?: Store;
  log?: Log;
  now?: () => Date;
}

/** Opens every part in order, and the workers last. Fails with AppError; what was opened by then is closed again. */
export async function openApp(config: Config, role: Role, overrides: Overrides = {}): Promise<App> {
  await using opening = new AsyncDisposableStack();
  const log = overrides.log ?? createLog(config.logLevel);
  const now = overrides.now ?? (() => new Date());

  await mkdir(config.filesRoot, { recursive: true });
  const store =
    overrides.store ??
    opening.use(await openStore({ databaseUrl: config.databaseUrl, home: config.home, role, log }));
  const secrets = await openSecretBox({ home: config.home, secretKey: config.secretKey });
  const pipesDir = await makePipesDir(config.home, opening);
  const datastores = opening.use(datastoresOf(config, role, { store, secrets, pipesDir }));
  opening.use(await followWrites(store, datastores.cache, log));
  const queue = opening.use(await openQueue(store, log));

  const catalog: CatalogDeps = { store, log, secrets, datastores, memory: new Memory(), findBreaks, now };
  const accounts: AccountDeps = {
    store,
    log,
    now,
    signUp: config.signUp,
    projectCreated: (tx, project, memberId) =>
      createEmbeddedDatastore(tx, { projectId: project.id, memberId, homeId: store.homeId, at: now() }),
  };
  const metrics: SignalDeps = { store, log, catalog, secrets, webhookHosts: config.webhookHosts, now };
  const pipelines: PipelineDeps = {
    store,
    queue,
    log,
    secrets,
    datastores,
    connectors: { source: sourceConnector, destination: destinationConnector },
    series: (projectId, question, signal) => openSeries(metrics, { projectId, signal }, question),
    findBreaks,
    feed: opening.use(await openTaskFeed(store, log)),
    filesRoot: config.filesRoot,
    pipesDir,
    homeId: store.homeId,
    parallel: Math.max(2, availableParallelism()),
    now,
  };
  const endpoints = await openEndpoints(config, role, { store, log, catalog, now }, opening);
  opening.use(await startWorkers(pipelines, { workers: config.workers, role }));
  if (config.workers > 0) opening.use(startSignals(metrics));

  const opened = opening.move();
  return {
    config,
    log,
    store,
    accounts,
    catalog,
    metrics,
    pipelines,
    endpoints,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const findBreaks: FindBreaks = async (...change) => [
  ...(await metricBreaks(...change)),
  ...(await formulaBreaks(...change)),
];

async function openEndpoints(
  config: Config,
  role: Role,
  deps: Pick<EndpointDeps, 'store' | 'log' | 'catalog' | 'now'>,
  opening: AsyncDisposableStack,
): Promise<EndpointDeps> {
  const { store, log } = deps;
  const endpoints: EndpointDeps = {
    ...deps,
    registry: opening.use(await openRegistry(store, log)),
    rates: opening.use(openRates(store, log)),
    usage: opening.use(openUsage(store, log)),
  };
  if (role === 'serve') {
    opening.use(await followFolder(endpoints, { folder: config.endpoints, homeId: store.homeId }));
  }
  return endpoints;
}

function datastoresOf(
  config: Config,
  role: Role,
  { store, secrets, pipesDir }: { store: Store; secrets: SecretBox; pipesDir: string },
): Datastores {
  return openDatastores({
    db: store.db,
    home: config.home,
    homeId: store.homeId,
    secrets,
    reach: { emulatorHosts: config.emulatorHosts },
    opensEmbedded: role === 'serve',
    scanDirectories: [pipesDir, config.filesRoot],
    cacheBytesMax: config.cacheMb * 1024 * 1024,
  });
}

/** FIFOs, and what tasks put beside them, live in a folder of this process, which goes with it; those of killed ones go now. */
async function makePipesDir(home: string, opening: AsyncDisposableStack): Promise<string> {
  const parent = join(home, 'pipes');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const pipesDir = await makeWorkFolder(parent);
  opening.defer(() => removeWorkFolder(pipesDir));
  return pipesDir;
}
