import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#base/id.ts';
import { withBinds } from './bigquery-binds.ts';
import { BigQueryError, isJobPassing, isPassing } from './bigquery-errors.ts';
import { type BigQueryRest, firstWaitMsDefault } from './bigquery-rest.ts';
import { decoderOf, type Field, parametersOf, type RawRow, typeName } from './bigquery-values.ts';
import { orAborted } from './or-aborted.ts';
import type { Answer, ResultColumn, Statement, TableName } from './warehouse.ts';

/** What statements of one datastore have in common. */
export interface QuerySettings {
  /** Where names without a dataset are looked for. */
  dataset: string | undefined;
  location: string | undefined;
  maximumBytesBilled: number | undefined;
}

export interface Asking {
  signal: AbortSignal;
  deadlineMs: number;
  tag?: string | undefined;
  /** Rows of a page at most. */
  pageRows: number;
}

/** What a statement gave. Its rows are fetched as they are taken. */
export interface Result {
  columns: ResultColumn[];
  /** Of a query that wrote its rows, how many those are. */
  rowCount: bigint;
  /** Some thousand rows at a time: one page of BigQuery's is held, and the next is fetched. */
  pieces: () => AsyncGenerator<unknown[][], void>;
}

/** What a statement would do. */
export interface DryRun {
  statementType: string;
  columns: ResultColumn[];
  /** Of views the tables behind them. BigQuery has named fifty at most. */
  tables: TableName[];
  /** Those that BigQuery names; there may be others. */
  views: TableName[];
  /** Functions and procedures of the project. */
  routines: string[];
  bytesProcessed: bigint;
}

/** Statements of one piece of work, within its bounds. */
export interface Desk {
  rest: BigQueryRest;
  settings: QuerySettings;
  signal: AbortSignal;
  run(statement: Statement): Promise<Pick<Answer, 'rows'>>;
  dryRun(statement: Statement): Promise<DryRun>;
  /** Runs a statement that writes, as a job that is made once however often it is sent. */
  write(statement: Statement, more?: object): Promise<Result>;
}

export interface JobReference {
  projectId: string;
  jobId: string;
  location?: string;
}

interface TableReference {
  projectId: string;
  datasetId: string;
  tableId: string;
}

interface Page {
  jobComplete: boolean;
  jobReference?: JobReference;
  schema?: { fields?: Field[] };
  rows?: RawRow[];
  pageToken?: string;
  totalRows?: string;
}

/** So often a statement becomes a job. */
const jobsMax = 3;
/** So long the first answer is held back for a statement that runs; it is known by no name until then, to be canceled. */
const firstHeldMs = 2_000;
const heldMs = 10_000;
const pieceRows = 1_024;
const stopMs = 10_000;

/** Whole microseconds, where a number of seconds would lose them. */
const exact = { 'formatOptions.useInt64Timestamp': 'true' };

/** Runs one statement that may be run twice, and waits for its result; its job is canceled, too, when the signal aborts. */
export function ask(
  rest: BigQueryRest,
  settings: QuerySettings,
  statement: Statement,
  asking: Asking,
): Promise<Result> {
  return anew(rest, asking.signal, () => askOnce(rest, settings, statement, asking));
}

/** A job that failed in passing is made again under another name, a few times. */
async function anew<T>(
  { login: { firstWaitMs = firstWaitMsDefault } }: BigQueryRest,
  signal: AbortSignal,
  run: (jobs: number) => Promise<T>,
): Promise<T> {
  for (let jobs = 1; ; jobs += 1) {
    try {
      return await run(jobs);
    } catch (error) {
      const mayGoWell = error instanceof BigQueryError && isJobPassing(error);
      if (!mayGoWell || jobs === jobsMax || signal.aborted) throw error;
    }
    await sleep(firstWaitMs * 2 ** jobs * (0.5 + Math.random()), undefined, { signal });
  }
}

async function askOnce(
  rest: BigQueryRest,
  settings: QuerySettings,
  statement: Statement,
  asking: Asking,
): Promise<Result> {
  const { signal, deadlineMs, pageRows, tag } = asking;
  signal.throwIfAborted();
  const body = {
    ...queryOf(rest, settings, statement),
    location: settings.location,
    labels: labelsOf(tag),
    formatOptions: { useInt64Timestamp: true },
    timeoutMs: Math.min(firstHeldMs, deadlineMs),
    jobTimeoutMs: String(deadlineMs),
    maxResults: pageRows,
    requestId: newId(),
  };
  // Not by the caller's signal: only its answer says which job to cancel.
  const held = AbortSignal.timeout(firstHeldMs + stopMs);
  const request = { method: 'POST' as const, path: '/queries', body, signal: held, sendUntil: signal };
  const sent = rest.send(request).catch(asOfJob) as Promise<Page>;
  const stop = ({ jobComplete, jobReference }: Page) =>
    jobComplete ? undefined : cancel(rest, jobReference);
  const leave = () => rest.leave(sent.then(stop));
  signal.addEventListener('abort', leave, { once: true });
  const first = await orAborted(sent, signal).finally(() => signal.removeEventListener('abort', leave));
  return finished(rest, first, asking);
}

/** A query that BigQuery refuses in passing, with a reason, has failed at once or was not taken: both may be tried anew. */
function asOfJob(error: unknown): never {
  const isOfJob = error instanceof BigQueryError && isPassing(error) && error.reason !== '';
  throw isOfJob ? new BigQueryError(error.message, error.reason) : error;
}

/** Runs a query as a job by that name, which is made once however often it is sent. Canceled when the signal aborts. */
export async function askAsJob(
  rest: BigQueryRest,
  settings: QuerySettings,
  statement: Statement,
  asking: Asking & { jobId: string; more?: object },
): Promise<Result> {
  const { jobId, more, ...rests } = asking;
  const configuration = {
    labels: labelsOf(asking.tag),
    jobTimeoutMs: String(asking.deadlineMs),
    query: { ...queryOf(rest, settings, statement), ...more },
  };
  return anew(rest, asking.signal, async (jobs) => {
    const name = jobs === 1 ? jobId : `${jobId}_${jobs}`;
    const job = await insertJob(rest, settings, { jobId: name, configuration }, asking.signal);
    return finished(rest, { jobComplete: false, jobReference: job }, rests);
  });
}

/** Makes a job by that name, or finds it made. */
export async function insertJob(
  rest: BigQueryRest,
  { location }: Pick<QuerySettings, 'location'>,
  { jobId, configuration }: { jobId: string; configuration: object },
  signal: AbortSignal,
): Promise<JobReference> {
  const { projectId } = rest.login;
  const named = { projectId, jobId, ...(location !== undefined && { location }) };
  try {
    const body = { jobReference: named, configuration };
    const job = (await rest.send({ method: 'POST', path: '/jobs', body, signal })) as {
      jobReference: JobReference;
    };
    return job.jobReference;
  } catch (error) {
    if (error instanceof BigQueryError && error.status === 409) return named;
    // It may have arrived.
    if (signal.aborted) rest.leave(cancel(rest, named));
    throw error;
  }
}

/** Says what a statement would do. Nothing is run. */
export async function dryRun(
  rest: BigQueryRest,
  settings: QuerySettings,
  statement: Statement,
  signal: AbortSignal,
): Promise<DryRun> {
  const { location } = settings;
  const { projectId } = rest.login;
  const { maximumBytesBilled: _billed, ...query } = queryOf(rest, settings, statement);
  const body = {
    configuration: { dryRun: true, query },
    ...(location !== undefined && { jobReference: { projectId, location } }),
  };
  const { statistics } = (await rest.send({ method: 'POST', path: '/jobs', body, signal })) as {
    statistics: {
      totalBytesProcessed?: string;
      query?: {
        statementType?: string;
        schema?: { fields?: Field[] };
        referencedTables?: TableReference[];
        referencedLogicalViews?: TableReference[];
        referencedRoutines?: { datasetId?: string; routineId: string }[];
      };
    };
  };
  const {
    statementType = '',
    schema,
    referencedTables = [],
    referencedLogicalViews = [],
    referencedRoutines = [],
  } = statistics.query ?? {};
  return {
    statementType,
    columns: columnsOf(schema?.fields ?? []),
    tables: referencedTables.map(tableOf),
    views: referencedLogicalViews.map(tableOf),
    routines: referencedRoutines.map(({ datasetId, routineId }) => `${datasetId ?? ''}.${routineId}`),
    bytesProcessed: BigInt(statistics.totalBytesProcessed ?? 0),
  };
}

function tableOf({ projectId, datasetId, tableId }: TableReference): TableName {
  return { database: projectId, schema: datasetId, name: tableId };
}

/** Asks BigQuery to stop the job. Never fails: a job that goes on ends by its own time limit. */
export function cancel(rest: BigQueryRest, job: JobReference | undefined): Promise<void> {
  if (job === undefined) return Promise.resolve();
  const { jobId, location } = job;
  const path = `/jobs/${encodeURIComponent(jobId)}/cancel`;
  const request = { method: 'POST' as const, path, query: { location }, body: {} };
  return rest.send({ ...request, signal: AbortSignal.timeout(stopMs) }).then(
    () => undefined,
    () => undefined,
  );
}

/** Waits for a job that is no query. Fails with BigQueryError for one that failed. */
export async function jobDone(rest: BigQueryRest, job: JobReference, signal: AbortSignal): Promise<object> {
  for (let waitMs = 50; ; waitMs = Math.min(2_000, waitMs * 2)) {
    const { state, statistics } = await jobState(rest, job, signal);
    if (state === 'DONE') return statistics;
    await sleep(waitMs, undefined, { signal });
  }
}

async function jobState(
  rest: BigQueryRest,
  { jobId, location }: JobReference,
  signal: AbortSignal,
): Promise<{ state: string; statistics: object }> {
  const path = `/jobs/${encodeURIComponent(jobId)}`;
  const { status, statistics } = (await rest.send({ method: 'GET', path, query: { location }, signal })) as {
    status: { state: string; errorResult?: { reason: string; message: string } };
    statistics: object;
  };
  const { state, errorResult } = status;
  if (errorResult) throw new BigQueryError(errorResult.message, errorResult.reason);
  return { state, statistics };
}

function queryOf(
  { login: { projectId } }: BigQueryRest,
  { dataset, maximumBytesBilled }: QuerySettings,
  { sql, binds = [] }: Statement,
) {
  // A parameter is never NULL, and NULL as it is written has any type.
  const query = binds.includes(null)
    ? withBinds(sql, (number) => (binds[number - 1] === null ? 'NULL' : null))
    : sql;
  const queryParameters = parametersOf(binds);
  return {
    query,
    useLegacySql: false,
    ...(queryParameters.length > 0 && { parameterMode: 'NAMED', queryParameters }),
    ...(dataset !== undefined && { defaultDataset: { projectId, datasetId: dataset } }),
    ...(maximumBytesBilled !== undefined && { maximumBytesBilled: String(maximumBytesBilled) }),
  };
}

/** Small letters, digits, dashes and underscores, at most 63. */
function labelsOf(tag: string | undefined): Record<string, string> {
  const value = (tag ?? '')
    .toLowerCase()
    .replace(/[^\p{Ll}\p{N}_-]/gu, '_')
    .slice(0, 63);
  return { application: 'sluice', ...(value !== '' && { sluice_request: value }) };
}

/** A slow statement is asked for again and again; BigQuery holds each of these questions back for a while. */
async function finished(rest: BigQueryRest, first: Page, { signal, pageRows }: Asking): Promise<Result> {
  let page = first;
  const job = first.jobReference;
  const stop = () => rest.leave(cancel(rest, job));
  if (!page.jobComplete) {
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  }
  try {
    while (!page.jobComplete) {
      const asked = pageOf(rest, job, { timeoutMs: heldMs, maxResults: pageRows }, signal);
      page = await asked.catch(async (error: unknown) => {
        if (!job || !(error instanceof BigQueryError) || !isPassing(error)) throw error;
        // It may be of the job, or of the way to it: the job says so itself.
        await jobState(rest, job, signal);
        return page;
      });
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  const fields = page.schema?.fields ?? [];
  const decoders = fields.map(decoderOf);
  const decode = ({ f }: RawRow) => f.map(({ v }, at) => (v === null ? null : decoders[at]!(v)));
  return {
    columns: columnsOf(fields),
    rowCount: BigInt(page.totalRows ?? 0),
    async *pieces() {
      for await (const rows of rawRows(
        rest,
        { ...page, ...(job && { jobReference: job }) },
        pageRows,
        signal,
      )) {
        for (let at = 0; at < rows.length; at += pieceRows) {
          signal.throwIfAborted();
          yield rows.slice(at, at + pieceRows).map(decode);
        }
        signal.throwIfAborted();
      }
    },
  };
}

/** Page by page; of the next one is asked while this one is taken. */
async function* rawRows(
  rest: BigQueryRest,
  first: Page,
  pageRows: number,
  asked: AbortSignal,
): AsyncGenerator<RawRow[], void> {
  const leaving = new AbortController();
  const signal = AbortSignal.any([asked, leaving.signal]);
  const begin = ({ pageToken }: Page): Promise<Page> | null => {
    if (pageToken === undefined || pageToken === '') return null;
    const fetching = pageOf(rest, first.jobReference, { pageToken, maxResults: pageRows }, signal);
    // Nobody may come for it.
    fetching.catch(() => undefined);
    return fetching;
  };
  try {
    let page: Page | null = first;
    while (page) {
      const next: Promise<Page> | null = begin(page);
      if (page.rows && page.rows.length > 0) yield page.rows;
      page = await next;
    }
  } finally {
    leaving.abort();
  }
}

async function pageOf(
  rest: BigQueryRest,
  job: JobReference | undefined,
  query: { timeoutMs?: number; maxResults: number; pageToken?: string },
  signal: AbortSignal,
): Promise<Page> {
  if (job === undefined) throw new Error('its answer names no job');
  const path = `/queries/${encodeURIComponent(job.jobId)}`;
  const whole = { ...exact, ...query, location: job.location };
  return (await rest.send({ method: 'GET', path, query: whole, signal })) as Page;
}

function columnsOf(fields: readonly Field[]): ResultColumn[] {
  return fields.map((field) => ({ name: field.name, dataType: typeName(field) }));
}
