import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#base/id.ts';
import { type RawRow, rowsOfChunk } from './snowflake-chunk.ts';
import { NoAnswer, SnowflakeError } from './snowflake-errors.ts';
import type { Reply, SnowflakeSession } from './snowflake-session.ts';
import { bindingsOf, decoderOf, type RowType, typeName } from './snowflake-values.ts';
import type { Answer, ResultColumn, Statement } from './warehouse.ts';

interface Asking {
  signal: AbortSignal;
  deadlineMs: number;
  tag?: string | undefined;
  /** Only what it would give is asked for; nothing is run. */
  describeOnly?: boolean;
}

/** What a statement gave. Its rows are fetched as they are taken. */
export interface Result {
  columns: ResultColumn[];
  isSelect: boolean;
  /** A thousand rows at a time, read no faster than they are taken: the bytes of one chunk of Snowflake's are held, and the next is fetched. */
  pieces: () => AsyncGenerator<unknown[][], void>;
}

/** Statements of one piece of work, within its bounds. */
export interface Desk {
  /** Where names are looked for that say no more. */
  home: { database: string; schema: string };
  run(statement: Statement): Promise<Pick<Answer, 'rows' | 'columns'>>;
  describe(statement: Statement): Promise<Result>;
}

interface Chunk {
  url: string;
  rowCount: number;
}

interface ResultData {
  queryId: string;
  queryResultFormat?: string;
  getResultUrl?: string;
  statementTypeId?: number;
  rowtype?: RowType[];
  rowset?: RawRow[] | null;
  chunks?: Chunk[];
  chunkHeaders?: Record<string, string>;
  qrmk?: string;
}

const inProgress = new Set(['333333', '333334']);
const noWarehouse = '000606';
const selectTypeId = 0x1000;
const tagLengthMax = 2_000;
/** With four times as many, a million rows took 130 MB on their way through, and with these 65. */
const pieceRows = 1_024;
const chunkTriesMax = 5;

/** What our SQL relies on, whatever the account, the user or the session says. */
const always = {
  TIMEZONE: 'UTC',
  MULTI_STATEMENT_COUNT: 1,
  QUOTED_IDENTIFIERS_IGNORE_CASE: false,
  TIMESTAMP_INPUT_FORMAT: 'AUTO',
  DATE_INPUT_FORMAT: 'AUTO',
  TIMESTAMP_NTZ_OUTPUT_FORMAT: 'YYYY-MM-DD"T"HH24:MI:SS.FF9',
  TIMESTAMP_LTZ_OUTPUT_FORMAT: 'YYYY-MM-DD"T"HH24:MI:SS.FF9TZH:TZM',
  TIMESTAMP_TZ_OUTPUT_FORMAT: 'YYYY-MM-DD"T"HH24:MI:SS.FF9TZH:TZM',
  DATE_OUTPUT_FORMAT: 'YYYY-MM-DD',
  TIME_INPUT_FORMAT: 'AUTO',
  BINARY_INPUT_FORMAT: 'HEX',
  BINARY_OUTPUT_FORMAT: 'HEX',
  // Else VARIANT has line breaks, and what lacks in a list is "undefined".
  JSON_INDENT: 0,
  STRICT_JSON_OUTPUT: true,
  // An account may have a limit that cuts results without a word.
  ROWS_PER_RESULTSET: 0,
};

/** Runs one statement and waits for its result; it is stopped at Snowflake, too, when the signal aborts. */
export async function ask(session: SnowflakeSession, statement: Statement, asking: Asking): Promise<Result> {
  const { signal, deadlineMs, tag, describeOnly = false } = asking;
  const requestId = newId();
  const stop = () => session.stop(requestId);
  const body = {
    sqlText: statement.sql,
    asyncExec: false,
    describeOnly,
    querySubmissionTime: Date.now(),
    ...(statement.binds && statement.binds.length > 0 && { bindings: bindingsOf(statement.binds) }),
    parameters: {
      ...always,
      STATEMENT_TIMEOUT_IN_SECONDS: Math.max(1, Math.ceil(deadlineMs / 1000)),
      QUERY_TAG: (tag ?? '').slice(0, tagLengthMax),
    },
  };
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const first = await session.send(
      'POST',
      `/queries/v1/query-request?requestId=${requestId}`,
      body,
      signal,
    );
    return resultOf(session, await finished(session, first, signal), signal);
  } catch (error) {
    // What it lacks may be granted by then.
    if (error instanceof SnowflakeError && error.code === noWarehouse) session.leave();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A slow statement is asked for again and again; Snowflake holds each of these questions back for a while. */
async function finished(session: SnowflakeSession, first: Reply, signal: AbortSignal): Promise<ResultData> {
  let reply = first;
  for (let waitMs = 10; inProgress.has(reply.code ?? ''); waitMs = Math.min(500, waitMs * 2)) {
    const { getResultUrl } = reply.data as unknown as ResultData;
    if (getResultUrl === undefined) throw new NoAnswer('it does not say where the result will be');
    await sleep(waitMs, undefined, { signal });
    reply = await session.send('GET', getResultUrl, undefined, signal);
  }
  return reply.data as unknown as ResultData;
}

function resultOf(session: SnowflakeSession, data: ResultData, signal: AbortSignal): Result {
  const { rowtype = [], queryResultFormat = 'json' } = data;
  if (queryResultFormat !== 'json') throw new NoAnswer(`its result is ${queryResultFormat}, and not JSON`);
  const decoders = rowtype.map(decoderOf);
  const decode = (row: RawRow) => row.map((value, at) => (value === null ? null : decoders[at]!(value)));
  return {
    columns: rowtype.map((column) => ({ name: column.name, dataType: typeName(column) })),
    isSelect: data.statementTypeId === selectTypeId,
    async *pieces() {
      for await (const rows of rawRows(session, data, signal)) {
        for (let at = 0; at < rows.length; at += pieceRows) {
          signal.throwIfAborted();
          yield rows.slice(at, at + pieceRows).map(decode);
        }
        signal.throwIfAborted();
      }
    },
  };
}

async function* rawRows(
  session: SnowflakeSession,
  data: ResultData,
  asked: AbortSignal,
): AsyncGenerator<RawRow[], void> {
  const leaving = new AbortController();
  const signal = AbortSignal.any([asked, leaving.signal]);
  const { chunks = [], rowset } = data;
  const begin = (at: number): Promise<Buffer> | null => {
    if (at >= chunks.length) return null;
    const fetching = fetchChunk(session, data, at, signal);
    // Nobody may come for it.
    fetching.catch(() => undefined);
    return fetching;
  };
  try {
    let next = begin(0);
    if (rowset && rowset.length > 0) yield rowset;
    for (let at = 0; next !== null; at += 1) {
      const bytes = await next;
      next = begin(at + 1);
      yield* rowsOfChunk(bytes, chunks[at]!.rowCount, pieceRows);
    }
  } finally {
    leaving.abort();
  }
}

async function fetchChunk(
  session: SnowflakeSession,
  data: ResultData,
  at: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const headers = data.chunkHeaders ?? keyHeaders(data.qrmk);
  for (let tries = 1; ; tries += 1) {
    const url = data.chunks![at]!.url;
    try {
      const response = await fetch(url, { headers, signal, redirect: 'error' });
      if (response.ok) return Buffer.from(await response.arrayBuffer());
      await response.body?.cancel();
      if (response.status === 403) await renewUrls(session, data, signal);
      throw new NoAnswer(`a part of its result is not there: status ${response.status}`);
    } catch (error) {
      signal.throwIfAborted();
      if (tries === chunkTriesMax) throw error;
      await sleep(session.firstWaitMs * 2 ** (tries - 1), undefined, { signal });
    }
  }
}

/** The addresses of chunks hold for some hours only. */
async function renewUrls(session: SnowflakeSession, data: ResultData, signal: AbortSignal): Promise<void> {
  const { data: again } = await session.send('GET', `/queries/${data.queryId}/result`, undefined, signal);
  const { chunks = [] } = again as unknown as ResultData;
  if (chunks.length === data.chunks?.length) data.chunks.splice(0, chunks.length, ...chunks);
}

function keyHeaders(key: string | undefined): Record<string, string> {
  if (key === undefined) return {};
  return {
    'x-amz-server-side-encryption-customer-algorithm': 'AES256',
    'x-amz-server-side-encryption-customer-key': key,
  };
}
