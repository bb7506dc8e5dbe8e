import type { Json } from '#connectors/contract.ts';
import { startTask } from '#pipelines/start-task.ts';
import { keptState, storedSelections } from '#pipelines/stream-state.ts';
import { memoryDestination, memoryTables, type MemoryHooks } from './memory-destination.ts';
import { createSlowJob, openTestPipelines } from './pipelines.ts';
import { slowSource, type SlowStream } from './slow-source.ts';

/** A job over these streams in a project of its own, and its first task, which waits for a worker. */
export async function started(
  streams: SlowStream[],
  hooks: MemoryHooks = {},
  syncMode: 'FULL_REFRESH' | 'INCREMENTAL' = 'FULL_REFRESH',
) {
  const tables = memoryTables();
  const pipelines = await openTestPipelines({
    source: slowSource(() => streams),
    destination: memoryDestination(tables, hooks),
  });
  const { deps, viewer } = pipelines;
  const job = await createSlowJob(pipelines, {
    streams: streams.map(({ name }) => ({
      name,
      syncMode,
      writeMode: syncMode === 'INCREMENTAL' ? 'APPEND' : null,
      cursorField: syncMode === 'INCREMENTAL' ? 'id' : null,
    })),
  });
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  const now = () =>
    deps.store.db.task.findUniqueOrThrow({
      where: { id: task.id },
      include: { streams: { orderBy: { position: 'asc' } } },
    });
  /** What the marker of the first stream's publish holds when that is the source's state. */
  const kept = (state: Json): Json => {
    const [selection] = storedSelections(job.streams);
    if (!selection) throw new Error('The job has no stream.');
    return keptState(job, selection, state);
  };
  return {
    kept,
    deps,
    viewer,
    job,
    task,
    tables,
    now,
    [Symbol.asyncDispose]: () => pipelines[Symbol.asyncDispose](),
  };
}

/** The ids in a table, in order. */
export function ids(rows: Record<string, unknown>[] | undefined): number[] {
  return (rows ?? []).map((row) => Number(row.id)).toSorted((a, b) => a - b);
}

/** All whole numbers of a range. */
export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);
