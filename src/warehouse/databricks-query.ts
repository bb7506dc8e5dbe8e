import { setTimeout as sleep } from 'node:timers/promises';
import { readBatches, sqlNamesOf } from './databricks-arrow.ts';
import type { Driver } from './databricks-client.ts';
import { DatabricksError, NoAnswer } from './databricks-errors.ts';
import { type Calling, type DatabricksSessions, isSessionLost } from './databricks-session.ts';
import { type Column, columnsOf, parametersOf } from './databricks-values.ts';
import type { Answer, ResultColumn, Statement } from './warehouse.ts';

interface Asking extends Calling {
  deadlineMs: number;
  tag?: string | undefined;
}

/** What a statement gave. Its rows are fetched as they are taken. */
export interface Result {
  columns: ResultColumn[];
  /** A thousand rows at a time, read no faster than they are taken: what one fetch gave is held, and the next is fetched. */
  pieces: () => AsyncGenerator<unknown[][], void>;
}

/** Statements of one piece of work, within its bounds. */
export interface Desk {
  /** Where names are looked for that say no more. */
  home: { database: string; schema: string };
  run(statement: Statement): Promise<Pick<Answer, 'rows'>>;
}

type Executed = Awaited<ReturnType<Driver['executeStatement']>>;
type Handle = Executed['operationHandle'] & object;
type Status = Awaited<ReturnType<Driver['getOperationStatus']>>;
type Metadata = Awaited<ReturnType<Driver['getResultSetMetadata']>>;
type Fetched = Awaited<ReturnType<Driver['fetchResults']>>;

/** One statement at Databricks, and what of it came with the first answer. */
interface Operation {
  handle: Handle;
  metadata: Metadata | undefined;
  first: Fetched | undefined;
  isClosed: boolean;
}

/** TFetchOrientation. */
const fetchNext = 0 as unknown as Parameters<Driver['fetchResults']>[0]['orientation'];
const pieceRows = 1_024;
const fetchRows = 100_000;
/** What the first answer gives at most, and what one fetch does; two are held at once. */
const firstBytes = 1024 * 1024;
const fetchBytes = 4 * 1024 * 1024;
const stopMs = 10_000;
const tagLengthMax = 128;
const waitMsMax = 500;

/** TOperationState. */
const state = {
  initialized: 0,
  running: 1,
  finished: 2,
  canceled: 3,
  closed: 4,
  error: 5,
  pending: 7,
  timedOut: 8,
};
const underWay = new Set([state.initialized, state.running, state.pending]);

/** Runs one statement and waits for its result; it is stopped at Databricks, too, when the signal aborts. */
export async function ask(
  sessions: DatabricksSessions,
  statement: Statement,
  asking: Asking,
): Promise<Result> {
  const executed = await execute(sessions, statement, asking);
  const handle = executed.operationHandle;
  if (!handle) throw new NoAnswer('it does not say which statement it runs');
  const { directResults } = executed;
  const operation: Operation = {
    handle,
    metadata: directResults?.resultSetMetadata,
    first: directResults?.resultSet,
    isClosed: directResults?.closeOperation !== undefined && directResults.closeOperation !== null,
  };
  try {
    await finished(sessions, handle, directResults?.operationStatus, asking);
    operation.metadata ??= await sessions.call('getResultSetMetadata', { operationHandle: handle }, asking);
  } catch (error) {
    stop(sessions, handle, asking.signal.aborted);
    throw error;
  }
  const { metadata } = operation;
  const columns = columnsOf(metadata, await sqlNamesOf(metadata.arrowSchema));
  return resultOf(sessions, operation, { metadata, columns }, asking);
}

/** A session that was over before is replaced once: what it refused was not run. */
async function execute(
  sessions: DatabricksSessions,
  statement: Statement,
  asking: Asking,
): Promise<Executed> {
  for (let tries = 1; ; tries += 1) {
    const sessionHandle = await sessions.session(asking.deadlineMs, asking);
    try {
      return await sessions.call('executeStatement', requestOf(statement, asking, sessionHandle), {
        ...asking,
        // Whoever leaves before Databricks says which statement it runs leaves no statement behind.
        onLate: ({ operationHandle }: Executed) => operationHandle && stop(sessions, operationHandle, true),
      });
    } catch (error) {
      if (tries === 2 || !isSessionLost(error)) throw error;
      await sessions.forget(sessionHandle);
    }
  }
}

type ExecuteRequest = Parameters<Driver['executeStatement']>[0];

function requestOf(
  { sql, binds = [] }: Statement,
  { tag }: Asking,
  sessionHandle: ExecuteRequest['sessionHandle'],
): ExecuteRequest {
  const note = (tag ?? '').slice(0, tagLengthMax).replace(/[\\:,]/g, (sign) => `\\${sign}`);
  return {
    sessionHandle,
    statement: sql,
    runAsync: true,
    // A short result comes with the answer, and its statement is closed by then.
    getDirectResults: { maxRows: fetchRows, maxBytes: firstBytes },
    maxBytesPerBatch: fetchBytes,
    canReadArrowResult: true,
    canDownloadResult: false,
    canDecompressLZ4Result: false,
    // As text, so that no digit of a decimal and no microsecond is lost.
    useArrowNativeTypes: {
      timestampAsArrow: false,
      decimalAsArrow: false,
      complexTypesAsArrow: false,
      intervalTypesAsArrow: false,
    },
    ...(binds.length > 0 && { parameters: parametersOf(binds) }),
    ...(note !== '' && { confOverlay: { query_tags: `sluice:${note}` } }),
  };
}

/** A slow statement is asked for again and again until it has ended. */
async function finished(
  sessions: DatabricksSessions,
  operationHandle: Handle,
  first: Status | undefined,
  { signal, onWait }: Asking,
): Promise<void> {
  let status = first;
  for (let waitMs = 10; ; waitMs = Math.min(waitMsMax, waitMs * 2)) {
    status ??= await sessions.call('getOperationStatus', { operationHandle }, { signal, onWait });
    const { operationState = state.initialized, sqlState } = status;
    if (operationState === state.finished) return;
    if (!underWay.has(operationState)) {
      const said = status.displayMessage || status.errorMessage || 'it gives no reason';
      const why = operationState === state.timedOut ? '[STATEMENT_TIMEOUT] ' : '';
      const isCanceled = operationState === state.canceled || operationState === state.closed;
      throw new DatabricksError(`${isCanceled ? '[OPERATION_CANCELED] ' : why}${said}`, sqlState ?? '');
    }
    await sleep(waitMs, undefined, { signal });
    status = undefined;
  }
}

/** Nobody waits for what becomes of it: Databricks ends it with the session, too. */
function stop(sessions: DatabricksSessions, operationHandle: Handle, isRunning: boolean): void {
  const signal = AbortSignal.timeout(stopMs);
  const close = () => sessions.call('closeOperation', { operationHandle }, { signal });
  const ended = isRunning
    ? sessions.call('cancelOperation', { operationHandle }, { signal }).then(close)
    : close();
  ended.catch(() => undefined);
}

interface Shape {
  metadata: Metadata;
  columns: Column[];
}

function resultOf(sessions: DatabricksSessions, operation: Operation, shape: Shape, asking: Asking): Result {
  return {
    columns: shape.columns.map(({ name, dataType }) => ({ name, dataType })),
    async *pieces() {
      for await (const rows of allRows(sessions, operation, shape, asking)) {
        for (let at = 0; at < rows.length; at += pieceRows) {
          asking.signal.throwIfAborted();
          yield rows.slice(at, at + pieceRows);
        }
        asking.signal.throwIfAborted();
      }
    },
  };
}

async function* allRows(
  sessions: DatabricksSessions,
  operation: Operation,
  { metadata, columns }: Shape,
  asked: Asking,
): AsyncGenerator<unknown[][], void> {
  const leaving = new AbortController();
  const asking = { ...asked, signal: AbortSignal.any([asked.signal, leaving.signal]) };
  let taken = 0;
  const begin = (of: Promise<Fetched> | undefined) => {
    // Nobody may come for it.
    of?.catch(() => undefined);
    return of;
  };
  try {
    let next = operation.first
      ? Promise.resolve(operation.first)
      : begin(fetchFrom(sessions, operation.handle, 0, asking));
    while (next) {
      const { results, hasMoreRows } = await next;
      const batches = results?.arrowBatches ?? [];
      const rowCount = batches.reduce((sum, batch) => sum + Number(batch.rowCount), 0);
      taken += rowCount;
      if (hasMoreRows && rowCount === 0 && taken > 0)
        throw new NoAnswer('it says that there are more rows, and gives none');
      next = hasMoreRows ? begin(fetchFrom(sessions, operation.handle, taken, asking)) : undefined;
      yield* readBatches(metadata.arrowSchema, batches, columns);
    }
  } finally {
    leaving.abort();
    if (!operation.isClosed) stop(sessions, operation.handle, false);
  }
}

/** The rows from there on. When an answer was lost on its way, Databricks has gone on: what it gives then must begin there. */
async function fetchFrom(
  sessions: DatabricksSessions,
  operationHandle: Handle,
  startRowOffset: number,
  asking: Asking,
): Promise<Fetched> {
  const fetched = await sessions.call(
    'fetchResults',
    {
      operationHandle,
      orientation: fetchNext,
      maxRows: fetchRows,
      maxBytes: fetchBytes,
      startRowOffset,
    },
    asking,
  );
  const found = Number(fetched.results?.startRowOffset ?? startRowOffset);
  if (found !== startRowOffset) {
    throw new NoAnswer(
      `a part of its result is missing: it goes on with row ${found} in place of ${startRowOffset}`,
    );
  }
  return fetched;
}
