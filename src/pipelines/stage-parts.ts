import type { OpenPart, Part, StagedPart, StreamPlan, StreamWriter } from '#connectors/contract.ts';
import { throughput } from './log-words.ts';
import type { TaskRun } from './run-stream.ts';
import type { StreamProgress } from './stream-progress.ts';

const bytesEveryMs = 1_000;

interface Staging {
  plan: StreamPlan;
  writer: StreamWriter;
  /** Parts that are staged already. */
  staged: readonly StagedPart[];
  progress: StreamProgress;
}

/**
 * Stages all parts that are not staged yet, several at once; the counters of each are in the store when it is done.
 * Fails with what the first of them failed with, when the others have stopped too.
 */
export async function stageParts(run: TaskRun, staging: Staging): Promise<void> {
  const { plan, staged } = staging;
  const done = new Set(staged.map((part) => part.partId));
  const todo = plan.parts.filter((part) => !done.has(part.id));
  const others = new AbortController();
  const signal = AbortSignal.any([run.hold.signal, others.signal]);
  const failures: unknown[] = [];
  let left = todo.length;
  const lane = async (): Promise<void> => {
    for (let part = todo.shift(); part && !signal.aborted; part = todo.shift()) {
      try {
        await stagePart(
          run,
          staging,
          part,
          signal,
          () => `part ${plan.parts.length - --left} of ${plan.parts.length}`,
        );
      } catch (error) {
        failures.push(error);
        others.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(run.deps.parallel, todo.length) }, lane));
  run.hold.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

async function stagePart(
  run: TaskRun,
  { writer, progress }: Staging,
  part: Part,
  signal: AbortSignal,
  number: () => string,
): Promise<void> {
  const startedAt = performance.now();
  try {
    await using open = await part.open(signal);
    const staged = await stageOpen(writer, open, part.id, signal, progress);
    progress.finished(part.id, staged);
    const ms = performance.now() - startedAt;
    progress.log('INFO', `${part.title}: ${throughput(staged.rows, staged.bytes, ms)}; ${number()}.`);
  } catch (error) {
    progress.finished(part.id);
    throw error;
  }
  await run.hold.flush();
}

async function stageOpen(
  writer: StreamWriter,
  open: OpenPart,
  partId: string,
  signal: AbortSignal,
  progress: StreamProgress,
): Promise<StagedPart> {
  let rows = 0n;
  const tell = (): void => progress.reading(partId, rows, BigInt(open.bytesRead()));
  // Bytes come in even while the destination cannot tell of rows.
  const timer = setInterval(tell, bytesEveryMs);
  try {
    return await writer.stage(open, partId, signal, (soFar) => {
      rows = soFar;
      tell();
    });
  } catch (error) {
    throw open.explain(error) ?? error;
  } finally {
    clearInterval(timer);
  }
}
