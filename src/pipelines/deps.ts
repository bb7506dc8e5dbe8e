import type { SecretBox } from '#accounts/secrets.ts';
import type { Log } from '#base/log.ts';
import type { FindBreaks } from '#catalog/breaks.ts';
import type { Datastores } from '#catalog/datastores.ts';
import type { ConnectorContext, SeriesQuestion } from '#connectors/contract.ts';
import type { destinationConnector, sourceConnector } from '#connectors/registry.ts';
import type { Queue } from '#queue/open-queue.ts';
import type { Store } from '#store/open-store.ts';
import type { TaskFeed } from './task-feed.ts';

/** What the functions of pipelines/ need of the process they run in. */
export interface PipelineDeps {
  store: Store;
  queue: Queue;
  log: Log;
  secrets: SecretBox;
  datastores: Datastores;
  /** The connectors that exist, by type and version. */
  connectors: { source: typeof sourceConnector; destination: typeof destinationConnector };
  /** The values of a project's metrics by period, for sources that offer them. */
  series?: (
    projectId: string,
    question: SeriesQuestion,
    signal: AbortSignal,
  ) => ReturnType<NonNullable<ConnectorContext['series']>>;
  /** What a change of columns breaks of what is defined over tables. */
  findBreaks: FindBreaks;
  /** This process's ear for changes of tasks: openTaskFeed(store, log). */
  feed: TaskFeed;
  filesRoot: string;
  pipesDir: string;
  homeId: string;
  now(): Date;
  /** Parts of a stream that are read and written at once. */
  parallel: number;
}
