import {
  ColumnMisfit,
  ConnectorError,
  type DestinationSession,
  type FoundChanges,
  type Json,
  type SourceSession,
  type StreamPlan,
  type StreamSelection,
  type StreamWriter,
  type WrittenTable,
} from '#connectors/contract.ts';
import { oldestWriteOf } from '#catalog/behind.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { messageOf } from '#base/errors.ts';
import { Prisma, type Job, type TaskStream } from '#generated/prisma/client.ts';
import { brokenWords } from './broken-words.ts';
import { streamName } from './check-streams.ts';
import type { PipelineDeps } from './deps.ts';
import { columnsInWords, count, counted, throughput } from './log-words.ts';
import { stageParts } from './stage-parts.ts';
import { StreamProgress } from './stream-progress.ts';
import { keptState, stateToGoOnFrom } from './stream-state.ts';
import { loopWords, readsTarget, type StreamReads } from './stream-ways.ts';
import type { TaskHold } from './task-hold.ts';

/** What the streams of one run share. */
export interface TaskRun {
  deps: PipelineDeps;
  hold: TaskHold;
  job: Job;
  source: SourceSession;
  destination: DestinationSession;
  /** Whether what failed so is tried again by another attempt: what is staged is kept for it then. */
  triesAgain(error: unknown): boolean;
}

/**
 * Moves one stream: plan, stage its parts, publish, remember. What an earlier attempt of the task has staged or published
 * is taken over. Fails with what the connectors throw, with nothing half-written, and with RunStopped.
 */
export async function runStream(run: TaskRun, selection: StreamSelection, row: TaskStream): Promise<void> {
  const progress = new StreamProgress(run.hold, row);
  progress.begin(JSON.stringify([run.job.sourceId, run.job.destinationId, selection]));
  for (;;) {
    try {
      await moveOnce(run, selection, progress);
      return;
    } catch (error) {
      if (!(error instanceof ColumnMisfit) || progress.checkpoint.asText.includes(error.column)) throw error;
      progress.log(
        'WARN',
        `The column "${error.column}" cannot keep the value ${error.value} exactly: the stream begins anew with the column as text.`,
      );
      progress.beginAnew(error.column);
    }
  }
}

interface Publishing {
  plan: StreamPlan;
  writer: StreamWriter;
  progress: StreamProgress;
  reads: Reads;
}

/** Of a stream of a datastore; `syncedAt` of the oldest of its tables as the reading began. */
type Reads = (StreamReads & { syncedAt?: Date | null }) | null;

async function moveOnce(run: TaskRun, selection: StreamSelection, progress: StreamProgress): Promise<void> {
  const { hold, job } = run;
  const origin = { projectId: job.projectId, jobId: job.id, taskId: hold.task.id };
  await using writer = await run.destination.stream(origin, selection);
  const reads = (await run.source.reads?.(selection)) ?? null;
  refuseLoop(selection, reads, writer.table);
  if (writer.published?.taskId === hold.task.id) {
    await adopt(run, selection, { progress, writer, reads });
    return;
  }
  try {
    const { asText, resume } = progress.checkpoint;
    const state = await startOf(run, selection, progress, writer);
    const syncedAt = reads && (await oldestWriteOf(run.deps.store.db, job.projectId, reads));
    const held = writer.staged.map(({ partId }) => partId);
    await using plan = await run.source.plan(selection, { state, resume, asText, origin, staged: held });
    const staged = await beginWriting(run, plan, writer, progress);
    await stageParts(run, { plan, writer, staged, progress });
    await publish(run, selection, { plan, writer, progress, reads: reads && { ...reads, syncedAt } });
    await settle(plan, progress);
  } catch (error) {
    if (error instanceof ColumnMisfit || !run.triesAgain(error)) await writer.abandon();
    throw error;
  }
}

/** Fails with CONFIG when the stream would be made of the table that it writes. */
function refuseLoop(selection: StreamSelection, reads: Reads, table: WrittenTable | null): void {
  if (!reads || !table || !readsTarget(reads, table)) return;
  const { message, fix } = loopWords(selection, table);
  throw new ConnectorError('CONFIG', message, { fix });
}

/** The state to go on from. That the destination has forgotten what the store knows of is said: all is read again then. */
async function startOf(
  { deps, job }: TaskRun,
  selection: StreamSelection,
  progress: StreamProgress,
  { published, table }: StreamWriter,
): Promise<Json | null> {
  const state = stateToGoOnFrom(job, selection, published);
  if (published?.isGone && state !== null) {
    const { schema, name } = table!;
    progress.log(
      'WARN',
      `The table ${schema}.${name}, in which what was published before should be, is not there: the stream begins anew.`,
    );
    return null;
  }
  if (published) return state;
  const known = await deps.store.db.streamState.findUnique({ where: keyOf(job, selection) });
  const marker = known && { taskId: known.taskId, state: known.state as Json, rowsWritten: 0n };
  if (stateToGoOnFrom(job, selection, marker) !== null) {
    progress.log(
      'WARN',
      'The destination knows nothing of what was published before: the stream begins anew.',
    );
  }
  return null;
}

function keyOf(job: Job, selection: StreamSelection) {
  return { jobId_stream: { jobId: job.id, stream: streamName(selection) } };
}

/** Prepares the staging and stores the plan; returns the parts that an earlier attempt staged and this one keeps. */
async function beginWriting(
  { hold, deps }: TaskRun,
  plan: StreamPlan,
  writer: StreamWriter,
  progress: StreamProgress,
): Promise<StreamWriter['staged']> {
  const before = writer.staged.length;
  const keeps = progress.isResumedBy(plan, writer.staged);
  // What another plan has staged is dropped before this plan is stored: parts of the two must never be taken for each
  // other's. Nothing is staged before the plan is stored: what no plan names would be worthless.
  const notes = await writer.begin(plan.columns, keeps);
  const staged = keeps ? writer.staged : [];
  progress.planned(plan, staged);
  progress.log('INFO', planInWords(deps, plan, staged.length));
  if (before > staged.length) {
    progress.log(
      'WARN',
      'What was staged before the interruption cannot be gone on from: the stream is read again whole.',
    );
  }
  for (const warning of notes.warnings) progress.log('WARN', warning);
  for (const change of notes.changes) progress.log('INFO', change);
  await hold.flush();
  return staged;
}

function planInWords({ parallel }: PipelineDeps, plan: StreamPlan, staged: number): string {
  const { columns, parts, estimatedRows } = plan;
  const found = plan.changes ? `${changesInWords(plan.changes)} ` : '';
  if (parts.length === 0) return `${found}There is nothing new to read.`;
  const lanes = Math.min(parallel, parts.length);
  const atOnce = lanes > 1 ? `, ${lanes} at once` : '';
  const rows = estimatedRows === null ? '' : `, about ${counted(estimatedRows, 'row')}`;
  const stay = staged > 0 ? `; ${counted(staged, 'part')} staged before the interruption stay` : '';
  return `${found}Reading ${columnsInWords(columns)} in ${counted(parts.length, 'part')}${atOnce}${rows}${stay}.`;
}

/** "Since the last run 3 rows were added, 1 changed and 0 removed." */
function changesInWords({ added, changed, removed }: FoundChanges): string {
  return `Since the last run ${counted(added, 'row')} came, ${count(changed)} changed and ${count(removed)} went.`;
}

/** What the plan kept for itself goes; what cannot go by now is met again by the next task. */
async function settle(plan: StreamPlan, progress: StreamProgress): Promise<void> {
  try {
    await plan.published?.();
  } catch (error) {
    progress.log('WARN', `What the source kept for this task could not be removed yet: ${messageOf(error)}`);
  }
}

async function publish(
  run: TaskRun,
  selection: StreamSelection,
  { plan, writer, progress, reads }: Publishing,
): Promise<void> {
  // Nobody else holds the task right before readers see what it wrote.
  await run.hold.flush();
  run.hold.signal.throwIfAborted();
  const hadRows = (writer.published?.rowsWritten ?? 0n) > 0n;
  const state = keptState(run.job, selection, plan.nextState);
  const { rowsWritten } = await publishOnce(run, selection, { plan, writer, state });
  if (selection.syncMode === 'FULL_REFRESH' && hadRows && progress.rowsRead === 0n) {
    progress.log('WARN', 'The stream had rows when it was last read, and has none now.');
  }
  await remember(run, selection, progress, { state, rowsWritten, table: writer.table, reads });
  const where = writer.table
    ? ` to ${[writer.table.datastore, writer.table.schema, writer.table.name].join('.')}`
    : '';
  progress.log(
    'INFO',
    `Published ${counted(rowsWritten, 'row')}${where}; read ${throughput(progress.rowsRead, progress.bytesRead, progress.elapsedMs)}.`,
  );
}

/** A publish whose answer was lost may have happened all the same: then the destination's marker says so. */
async function publishOnce(
  run: TaskRun,
  selection: StreamSelection,
  { plan, writer, state }: { plan: StreamPlan; writer: StreamWriter; state: Json },
): Promise<{ rowsWritten: bigint }> {
  try {
    return await writer.publish(state, plan.ties);
  } catch (error) {
    if (run.hold.signal.aborted) throw error;
    const { job, hold } = run;
    const origin = { projectId: job.projectId, jobId: job.id, taskId: hold.task.id };
    // Looking must not hide why the publish failed.
    const again = await run.destination.stream(origin, selection).catch(() => null);
    const published = again?.published;
    await again?.[Symbol.asyncDispose]();
    if (published?.taskId === hold.task.id) return published;
    throw error;
  }
}

/** Takes over what an earlier attempt of this task published, before it could tell the store. */
async function adopt(
  run: TaskRun,
  selection: StreamSelection,
  { progress, writer, reads }: Omit<Publishing, 'plan'>,
): Promise<void> {
  const { state, rowsWritten } = writer.published ?? { state: null, rowsWritten: 0n };
  await remember(run, selection, progress, { state, rowsWritten, table: writer.table, reads });
  progress.log(
    'INFO',
    `Published ${count(rowsWritten)} rows before the interruption: nothing is left to do.`,
  );
}

/** Tells catalog and store of a publish. Both may be told twice: after a crash in between, adopt tells them again. */
async function remember(
  { deps, hold, job }: TaskRun,
  selection: StreamSelection,
  progress: StreamProgress,
  result: { state: Json | null; rowsWritten: bigint; table: StreamWriter['table']; reads: Reads },
): Promise<void> {
  const at = deps.now();
  if (result.table) {
    try {
      const { db } = deps.store;
      const before = await markWritten(db, deps.datastores, {
        projectId: job.projectId,
        taskId: hold.task.id,
        table: result.table,
        at,
        feed: { jobId: job.id, stream: streamName(selection) },
        reads: result.reads,
      });
      for (const line of await brokenWords(deps, job.projectId, before)) progress.log('WARN', line);
    } catch (error) {
      deps.log.error('A written table could not be marked fresh.', { taskId: hold.task.id, error });
      progress.log('WARN', `The rows are written, but the catalog could not be updated: ${messageOf(error)}`);
    }
  }
  progress.published(result.rowsWritten);
  const key = { jobId: job.id, stream: streamName(selection) };
  const state = result.state === null ? Prisma.JsonNull : (result.state as Prisma.InputJsonValue);
  const values = { state, taskId: hold.task.id, updatedAt: at };
  await hold.flushWith(async (tx) => {
    await tx.streamState.upsert({
      where: keyOf(job, selection),
      create: { ...key, projectId: job.projectId, ...values },
      update: values,
    });
  });
}
