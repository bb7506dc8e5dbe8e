import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Batch, type Engine, type Rows } from './engine.ts';
import { Refusal, refusalOf } from './refusals.ts';
import type { Told } from './start-server.ts';
import type { Given } from './values.ts';

/** One statement as it runs. */
interface Operation {
  session: Session;
  outcome: Promise<Rows | Refusal>;
  stop: (why: Refusal) => void;
  rowsGiven: number;
  /** What was given last, for whoever asks for the same again. */
  last: { from: number; batches: Batch[]; hasMoreRows: boolean } | null;
}

interface Session {
  catalog: string;
  schema: string;
  seconds: number;
}

interface Handle {
  guid: Buffer;
  secret: Buffer;
}

interface ExecuteRequest {
  sessionHandle: { sessionId: Handle };
  statement: string;
  parameters?: Given[] | null;
  confOverlay?: Record<string, string> | null;
  getDirectResults?: { maxBytes: unknown } | null;
}

interface FetchRequest {
  operationHandle: { operationId: Handle };
  startRowOffset?: unknown;
  maxBytes?: unknown;
}

/** So long an answer is held back before it is said that the statement still runs. 5 s at Databricks. */
const heldMs = 100;
const ok = { statusCode: 0 };
const state = { running: 1, finished: 2, canceled: 3, error: 5 };
const arrowBasedSet = 0;

/** The calls of Databricks' Thrift service, as far as a client needs them to run statements. */
export class Service {
  readonly #engine: Engine;
  readonly #told: Told;
  readonly #sessions = new Map<string, Session>();
  readonly #operations = new Map<string, Operation>();
  /** So many fetches break, by order of a test. */
  brokenFetches = 0;
  /** What the next statement with these words is refused with. */
  refuseNext: { words: string; why: Refusal } | null = null;

  constructor(engine: Engine, told: Told) {
    this.#engine = engine;
    this.#told = told;
  }

  /** Lets go of all sessions, as Databricks does with those that were idle for long. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  async OpenSession(request: {
    initialNamespace?: { catalogName?: string; schemaName?: string };
    configuration?: Record<string, string>;
  }): Promise<object> {
    const { configuration = {}, initialNamespace = {} } = request;
    const sessionId = newHandle();
    this.#told.sessions += 1;
    this.#told.configurations.push(configuration);
    this.#sessions.set(keyOf(sessionId), {
      catalog: initialNamespace.catalogName ?? '',
      schema: initialNamespace.schemaName ?? 'default',
      seconds: Number(configuration.STATEMENT_TIMEOUT ?? 172_800),
    });
    return {
      status: ok,
      serverProtocolVersion: 0xa508,
      sessionHandle: { sessionId },
      canUseMultipleCatalogs: true,
    };
  }

  async CloseSession({ sessionHandle }: { sessionHandle: { sessionId: Handle } }): Promise<object> {
    const key = keyOf(sessionHandle.sessionId);
    const session = this.#sessions.get(key);
    if (this.#sessions.delete(key)) this.#told.ended += 1;
    // What still runs ends with it.
    for (const operation of this.#operations.values()) {
      if (operation.session !== session) continue;
      operation.stop(new Refusal('OPERATION_CANCELED', 'HY008', 'Operation has been closed.'));
    }
    return { status: ok };
  }

  async ExecuteStatement(request: ExecuteRequest): Promise<object> {
    const session = this.#sessions.get(keyOf(request.sessionHandle.sessionId));
    if (!session) {
      return { status: { statusCode: 4, errorMessage: 'Invalid SessionHandle: the session is closed.' } };
    }
    const operationId = newHandle();
    const operation = this.#begin(session, request);
    this.#operations.set(keyOf(operationId), operation);
    const outcome = await Promise.race([operation.outcome, sleep(heldMs, null)]);
    const operationHandle = { operationId, operationType: 0, hasResultSet: true };
    const operationStatus = statusOf(outcome);
    if (outcome === null || outcome instanceof Refusal) {
      return { status: ok, operationHandle, directResults: { operationStatus } };
    }
    const resultSet = await this.#fetch(
      operation,
      0,
      Number(request.getDirectResults?.maxBytes ?? 1_048_576),
    );
    const isAll = 'hasMoreRows' in resultSet && !resultSet.hasMoreRows;
    if (isAll) await this.CloseOperation({ operationHandle });
    return {
      status: ok,
      operationHandle,
      directResults: {
        operationStatus,
        resultSetMetadata: metadataOf(outcome),
        resultSet,
        ...(isAll && { closeOperation: { status: ok } }),
      },
    };
  }

  async GetOperationStatus({ operationHandle }: FetchRequest): Promise<object> {
    const operation = this.#operations.get(keyOf(operationHandle.operationId));
    if (!operation) return lostOperation;
    return statusOf(await Promise.race([operation.outcome, sleep(heldMs, null)]));
  }

  async GetResultSetMetadata({ operationHandle }: FetchRequest): Promise<object> {
    const outcome = await this.#operations.get(keyOf(operationHandle.operationId))?.outcome;
    if (!outcome || outcome instanceof Refusal) return lostOperation;
    return metadataOf(outcome);
  }

  async FetchResults({ operationHandle, startRowOffset, maxBytes }: FetchRequest): Promise<object> {
    const operation = this.#operations.get(keyOf(operationHandle.operationId));
    if (!operation) return lostOperation;
    return this.#fetch(
      operation,
      Number(startRowOffset ?? operation.rowsGiven),
      Number(maxBytes ?? 1_048_576),
    );
  }

  async CancelOperation({ operationHandle }: FetchRequest): Promise<object> {
    this.#told.canceled += 1;
    const why = new Refusal('OPERATION_CANCELED', 'HY008', 'Operation has been canceled.');
    this.#operations.get(keyOf(operationHandle.operationId))?.stop(why);
    return { status: ok };
  }

  async CloseOperation({ operationHandle }: FetchRequest): Promise<object> {
    const key = keyOf(operationHandle.operationId);
    const operation = this.#operations.get(key);
    this.#operations.delete(key);
    if (operation) {
      this.#told.closed += 1;
      operation.stop(new Refusal('OPERATION_CANCELED', 'HY008', 'Operation has been closed.'));
      const outcome = await operation.outcome;
      if (!(outcome instanceof Refusal)) await outcome[Symbol.asyncDispose]();
    }
    return { status: ok };
  }

  #begin(session: Session, { statement, parameters, confOverlay }: ExecuteRequest): Operation {
    this.#told.texts.push(statement);
    this.#told.tags.push(confOverlay?.query_tags ?? '');
    let stopped: Refusal | null = null;
    let interrupt = () => {};
    const stop = (why: Refusal) => {
      stopped ??= why;
      interrupt();
    };
    const refused = this.refuseNext && statement.includes(this.refuseNext.words) ? this.refuseNext.why : null;
    if (refused) this.refuseNext = null;
    const running = refused
      ? Promise.reject(refused)
      : this.#engine.run(statement, parameters ?? [], session, (stopIt) => {
          interrupt = stopIt;
          if (stopped) stopIt();
        });
    const timeout = new Refusal('STATEMENT_TIMEOUT', '57KD0', `The statement exceeded ${session.seconds} s.`);
    const limit = setTimeout(() => stop(timeout), session.seconds * 1000);
    this.#told.running += 1;
    const outcome = running
      .catch((error: unknown) => stopped ?? refusalOf(error))
      .finally(() => {
        this.#told.running -= 1;
        clearTimeout(limit);
      });
    return { session, outcome, stop, rowsGiven: 0, last: null };
  }

  async #fetch(operation: Operation, from: number, bytesMax: number): Promise<object> {
    const rows = await operation.outcome;
    if (rows instanceof Refusal) return { status: failed(rows) };
    const again = operation.last;
    const given = again && again.from === from && from !== operation.rowsGiven ? again : null;
    try {
      const start = given?.from ?? operation.rowsGiven;
      const batches = given?.batches ?? (await rows.take(bytesMax));
      const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
      operation.rowsGiven = start + rowCount;
      operation.last = { from: start, batches, hasMoreRows: !rows.isOver };
      const isBroken = this.brokenFetches > 0 && start > 0;
      if (isBroken) this.brokenFetches -= 1;
      const arrowBatches = batches.map(({ batch, rowCount: count }) => ({
        batch: isBroken ? batch.subarray(0, batch.length / 2) : batch,
        rowCount: count,
      }));
      return {
        status: ok,
        hasMoreRows: !rows.isOver,
        results: { startRowOffset: start, rows: [], arrowBatches },
      };
    } catch (error) {
      return { status: failed(refusalOf(error)) };
    }
  }
}

const lostOperation = { status: { statusCode: 4, errorMessage: 'Invalid OperationHandle.' } };

function statusOf(outcome: Rows | Refusal | null): object {
  if (outcome === null) return { status: ok, operationState: state.running };
  if (!(outcome instanceof Refusal))
    return { status: ok, operationState: state.finished, hasResultSet: true };
  const isCanceled = /OPERATION_CANCELED/.test(outcome.message);
  return {
    status: ok,
    operationState: isCanceled ? state.canceled : state.error,
    sqlState: outcome.sqlState,
    errorMessage: `org.apache.hive.service.cli.HiveSQLException: Error running query: ${outcome.message}\n\tat org.apache.spark`,
    displayMessage: outcome.message,
  };
}

function failed(refusal: Refusal): object {
  return {
    statusCode: 3,
    sqlState: refusal.sqlState,
    errorMessage: refusal.message,
    displayMessage: refusal.message,
  };
}

/** The schema of Thrift says less than that of Arrow: all is text to it here. */
function metadataOf({ shape }: Rows): object {
  const types = [{ primitiveEntry: { type: 7 } }];
  const columns = shape.columns.map(({ name }, at) => ({
    columnName: name,
    typeDesc: { types },
    position: at + 1,
  }));
  return {
    status: ok,
    schema: { columns },
    resultFormat: arrowBasedSet,
    lz4Compressed: false,
    arrowSchema: Buffer.from(shape.schema),
  };
}

function newHandle(): Handle {
  return { guid: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'), secret: Buffer.alloc(16) };
}

function keyOf({ guid }: Handle): string {
  return guid.toString('hex');
}
