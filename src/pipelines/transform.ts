import { AppError, InputError } from '#base/errors.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { ConnectorError } from '#connectors/contract.ts';
import { nameOf } from '#catalog/reads.ts';
import type { TaskStream } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { codeOf } from '#warehouse/postgres-errors.ts';
import { brokenWords } from './broken-words.ts';
import { checkTargetKind, checkWriters, keepInputs } from './check-target.ts';
import { streamName } from './check-streams.ts';
import type { Formula } from './formula.ts';
import { columnsInWords, counted, duration } from './log-words.ts';
import { begun, type Run, setStatus, tryStream } from './run.ts';
import { streamChange } from './stream-progress.ts';
import type { TransformationWithDatastore } from './task-owner.ts';
import { isEnded } from './task-state.ts';
import { transformationSelect, type TransformationSelect } from './transformation-select.ts';

/** A transformation that is not done after so long is stopped: it would hold the engine's place for good. */
const deadlineMs = 3_600_000;

/**
 * Makes the target of a transformation anew, as its one stream, unless an earlier attempt did. Readers see the old table
 * until the new one is whole, so that a run may be broken off anywhere and done again.
 */
export async function transform(run: Run, transformation: TransformationWithDatastore): Promise<void> {
  const { hold, rows } = run;
  const what = `${targetName(transformation)} of datastore "${transformation.datastore.name}"`;
  hold.log('INFO', null, `${begun(run)}: making ${what} by transformation "${transformation.name}".`);
  await hold.flush();
  for (const row of rows) {
    if (isEnded(row.status)) continue;
    await tryStream(run, row, () => makeTarget(run, transformation, row));
  }
}

async function makeTarget(
  run: Run,
  transformation: TransformationWithDatastore,
  row: TaskStream,
): Promise<void> {
  const { deps, hold } = run;
  const { signal } = hold;
  const stream = streamName(row);
  setStatus(run, row, 'RUNNING');
  const made = await selectNow(run, transformation);
  const from = made.inputs.map(nameOf).join(', ') || 'no table';
  hold.log('INFO', stream, `Reading ${from} for ${columnsInWords(made.columns)}.`);
  // Nobody else holds the task right before readers see what it wrote.
  await hold.flush();
  signal.throwIfAborted();
  const startedAt = performance.now();
  const { targetKind: kind, targetSchema: schema, targetTable: name, projectId, id } = transformation;
  const table = { database: made.database, schema, name };
  const tag = `task ${hold.task.id}`;
  const rowsWritten = await made.warehouse
    .write({ ...table, kind }, { sql: made.select }, { signal, deadlineMs, tag })
    .catch((error: unknown) => {
      throw refused(error);
    });
  const at = deps.now();
  // Another run that has the task by now tells the catalog itself.
  await hold.flush();
  const before = await markWritten(deps.store.db, deps.datastores, {
    projectId,
    taskId: hold.task.id,
    table: { ...table, datastore: transformation.datastore.name },
    at,
    feed: { transformationId: id },
  });
  hold.setStream({ ...streamChange(row), status: 'SUCCEEDED', rowsWritten: rowsWritten ?? 0n });
  const took = duration(performance.now() - startedAt);
  const done =
    rowsWritten === null
      ? `Made ${targetName(transformation)}`
      : `Wrote ${counted(rowsWritten, 'row')} to ${targetName(transformation)}`;
  hold.log('INFO', stream, `${done} in ${took}.`);
  for (const line of await brokenWords(deps, projectId, before)) hold.log('WARN', stream, line);
  await hold.flush();
}

/** What it reads may have changed since it was saved: the SELECT is looked at as its engine understands it now. */
async function selectNow(
  { deps, hold }: Run,
  transformation: TransformationWithDatastore,
): Promise<TransformationSelect> {
  const formula = transformation.formula as unknown as Formula | null;
  try {
    const made = await transformationSelect(deps, { ...transformation, formula }, { signal: hold.signal });
    await checkTargetKind(made.warehouse, made.database, transformation);
    await deps.store.db.$transaction(async (tx) => {
      await checkWriters(deps, tx, { ...transformation, ...made });
      if (await isUnchanged(tx, transformation)) await keepInputs(tx, transformation.id, made.inputs);
    });
    return made;
  } catch (error) {
    throw refused(error);
  }
}

/** Whether it was not changed since this run began: of what it is now, this run does not know the inputs. */
async function isUnchanged(tx: Tx, { id, revision }: TransformationWithDatastore): Promise<boolean> {
  const same = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM transformation WHERE id = ${id}::uuid AND revision = ${revision} FOR NO KEY UPDATE`;
  return same.length > 0;
}

/** What PostgreSQL and Redshift call it. */
const missingGrant = '42501';

/** Why the engine does not make the table, as a task's failure; what only passes stays as it is. */
function refused(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const { message, fix } = error;
  const options = { cause: error, ...(fix !== undefined && { fix }) };
  if (error instanceof InputError) {
    const isOfEngine = error.problems.every(({ path }) => path[0] === 'sql' || path[0] === 'formula');
    return new ConnectorError(isOfEngine ? 'SCHEMA' : 'CONFIG', message, options);
  }
  if (error.code === 'BAD_USER_INPUT' && codeOf(error.cause ?? error) === missingGrant) {
    return new ConnectorError('CONFIG', message, options);
  }
  if (error.code === 'BAD_USER_INPUT') {
    const look = 'Look at what it reads, or change the transformation.';
    return new ConnectorError('SCHEMA', message, { fix: look, ...options });
  }
  // The target's kind was looked at before: what is left is another writer at the same time.
  if (error.code === 'CONFLICT') return new ConnectorError('TRANSIENT', message, options);
  if (error.code === 'WAREHOUSE_TIMEOUT') {
    const less = 'Let it read less, or make it in two transformations.';
    return new ConnectorError('CONFIG', message, { cause: error, fix: less });
  }
  return error;
}

function targetName({ targetKind, targetSchema, targetTable }: TransformationWithDatastore): string {
  const name = nameOf({ schema: targetSchema, name: targetTable });
  return targetKind === 'VIEW' ? `the view ${name}` : name;
}
