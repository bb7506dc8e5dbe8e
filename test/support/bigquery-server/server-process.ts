import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithParent } from '../server-child.ts';
import { type Account, Tokens } from './accounts.ts';
import { Engine, type Outcome, type QueryConfiguration } from './engine.ts';
import { type Job, Jobs } from './jobs.ts';
import { Refusal } from './refusals.ts';
import type { Command, Told } from './start-server.ts';
import { load, type LoadRequest, Uploads } from './uploads.ts';
import { createDataset, datasetOf, deleteTable, listDatasets, listTables, tableOf } from './resources.ts';

const { projectId, account, folder } = JSON.parse(process.argv[2]!) as {
  projectId: string;
  account: Account;
  folder: string;
};
const engine = await Engine.open(projectId);
const tokens = new Tokens(account);
const jobs = new Jobs<Outcome>();
const uploads = new Uploads(folder);
/** What goes wrong next, and how often. */
const troubles = {
  status: 0,
  reason: '',
  message: 'trouble',
  count: 0,
  path: '',
  broken: 0,
  /** Behind an answer that broke comes one that is whole. */
  isSpared: false,
  uploads: 0,
  bytes: 10_485_760,
  failing: { status: 400, reason: '', message: '', words: '', count: 0 },
};
/** Queries by the ids of their requests: sent twice they are run once. */
const requests = new Map<string, Job<Outcome>>();
const told: Told = { tokens: 0, canceled: 0, running: 0, queries: [], dryRuns: [], loads: 0 };

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : undefined);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
endWithParent(folder);
process.on('message', (command: Command) => {
  if ('revoke' in command) tokens.revoke();
  if ('trouble' in command) Object.assign(troubles, { message: 'trouble', path: '' }, command.trouble);
  if ('broken' in command) troubles.broken = command.broken;
  if ('uploads' in command) troubles.uploads = command.uploads;
  if ('failing' in command) {
    troubles.failing = { message: 'The job encountered an error.', words: '', ...command.failing };
  }
  if ('bytes' in command) troubles.bytes = command.bytes;
  process.send!({ ...told, tokens: tokens.made, running: jobs.running, loads: uploads.count });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://server');
  const send = (status: number, body: object | null) => {
    const bytes = Buffer.from(body === null ? '' : JSON.stringify(body));
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.byteLength });
    const isBroken = troubles.broken > 0 && url.pathname !== '/token' && !troubles.isSpared;
    troubles.isSpared = isBroken;
    if (!isBroken) return response.end(bytes);
    troubles.broken -= 1;
    return response.write(bytes.subarray(0, bytes.byteLength / 2), () => response.destroy());
  };
  if (url.pathname === '/token') {
    const token = tokens.make(new URLSearchParams(await text(request)));
    if (token === null) send(400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
    else send(200, { access_token: token, expires_in: 3599, token_type: 'Bearer' });
    return;
  }
  try {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (!tokens.isGood(token)) {
      throw new Refusal(401, 'authError', 'Request had invalid authentication credentials.');
    }
    if (url.pathname.startsWith('/uploads/')) return await takeFile(url, request, response, send);
    const body = request.method === 'GET' ? '' : await text(request);
    // What is canceled late would take the trouble that was meant for the next statement.
    const isMeant = url.pathname.includes(troubles.path) && !url.pathname.endsWith('/cancel');
    if (troubles.count > 0 && isMeant) {
      troubles.count -= 1;
      throw new Refusal(troubles.status, troubles.reason, troubles.message);
    }
    if (url.pathname.startsWith('/upload/')) {
      const path = await uploads.begin(JSON.parse(body) as LoadRequest);
      response.writeHead(200, { location: `http://${request.headers.host}${path}` }).end();
      return;
    }
    const reply = await replyTo(request.method!, url, body === '' ? {} : (JSON.parse(body) as object));
    send(reply === null ? 204 : 200, reply);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    send(error.status, error.body);
  }
}

/** A piece of a file: what is there of it, or the job that began when all of it was. */
async function takeFile(
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  send: (status: number, body: object) => unknown,
): Promise<void> {
  const isBroken = troubles.uploads > 0;
  if (isBroken) troubles.uploads -= 1;
  const taken = await uploads.take(url.pathname.split('/')[2]!, request, isBroken);
  if (isBroken) return void response.destroy();
  if ('received' in taken) {
    // Google's own documents write it both ways.
    const unit = uploads.count % 2 === 0 ? 'bytes=' : '';
    const range = taken.received > 0 ? { range: `${unit}0-${taken.received - 1}` } : {};
    return void response.writeHead(308, range).end();
  }
  const { configuration, jobReference } = taken.request;
  const work = () => load(engine, taken.path, configuration.load);
  send(
    200,
    await jobResource(jobs.begin({ load: configuration.load }, work, { id: jobReference?.jobId }), true),
  );
}

async function replyTo(method: string, url: URL, body: object): Promise<object | null> {
  const [, , , , project, kind, ...rest] = url.pathname.split('/').map(decodeURIComponent);
  if (project !== projectId) {
    throw new Refusal(404, 'notFound', `Not found: Project ${project}`);
  }
  const route = `${method} ${kind}${rest.map((part, at) => (at % 2 === 1 ? `/${part}` : '/*')).join('')}`;
  const [first = '', , third = ''] = rest;
  switch (route) {
    case 'POST queries':
      return runQuery(body as QueryRequest);
    case 'GET queries/*':
      return queryResults(jobs.get(first), url.searchParams);
    case 'POST jobs':
      return insertJob(body as JobRequest);
    case 'GET jobs/*':
      return jobResource(jobs.get(first));
    case 'POST jobs/*/cancel': {
      const job = jobs.get(first);
      if (job.state === 'RUNNING') told.canceled += 1;
      job.stop(new Refusal(400, 'stopped', 'Job execution was cancelled: User requested cancellation'));
      return { job: await jobResource(job, true) };
    }
    case 'GET datasets':
      return listDatasets(engine);
    case 'POST datasets':
      return createDataset(engine, body as { datasetReference: { datasetId: string } });
    case 'GET datasets/*':
      return datasetOf(engine, first);
    case 'GET datasets/*/tables':
      return listTables(engine, first, url.searchParams);
    case 'GET datasets/*/tables/*':
      return tableOf(engine, first, third);
    case 'DELETE datasets/*/tables/*':
      return deleteTable(engine, first, third);
    default:
      throw new Refusal(404, 'notFound', `There is no ${route}.`);
  }
}

interface QueryRequest extends QueryConfiguration {
  labels?: Record<string, string>;
  timeoutMs?: number;
  jobTimeoutMs?: string;
  maxResults?: number;
  requestId?: string;
}

interface JobRequest {
  jobReference?: { jobId?: string };
  configuration: {
    dryRun?: boolean;
    labels?: Record<string, string>;
    jobTimeoutMs?: string;
    query?: QueryConfiguration;
  };
}

function beginQuery(
  query: QueryConfiguration,
  more: {
    id?: string | undefined;
    labels?: Record<string, string> | undefined;
    timeoutMs?: string | undefined;
  },
): Job<Outcome> {
  const { labels = {}, timeoutMs, id } = more;
  for (const [name, value] of Object.entries(labels)) {
    if (!/^[\p{Ll}][\p{Ll}\p{N}_-]{0,62}$/u.test(name) || !/^[\p{Ll}\p{N}_-]{0,63}$/u.test(value)) {
      throw new Refusal(400, 'invalid', `Invalid label ${name}: ${value}`);
    }
  }
  const { maximumBytesBilled } = query;
  const job = jobs.begin(
    { query, labels },
    async (onStart) => {
      const { status, reason, message, words } = troubles.failing;
      if (troubles.failing.count > 0 && query.query.includes(words)) {
        troubles.failing.count -= 1;
        throw new Refusal(status, reason, message);
      }
      if (maximumBytesBilled !== undefined && Number(maximumBytesBilled) < troubles.bytes) {
        const message = `Query exceeded limit for bytes billed: ${maximumBytesBilled}. ${troubles.bytes} or higher required.`;
        throw new Refusal(400, 'bytesBilledLimitExceeded', message);
      }
      return engine.query(query, { dryRun: false, onStart });
    },
    { id, timeoutMs: timeoutMs === undefined ? undefined : Number(timeoutMs) },
  );
  told.queries.push({ query: query.query, labels, timeoutMs, maximumBytesBilled });
  return job;
}

async function runQuery(request: QueryRequest): Promise<object> {
  const { labels, jobTimeoutMs: timeoutMs, timeoutMs: heldMs = 10_000, maxResults, requestId } = request;
  const job = requests.get(requestId ?? '') ?? beginQuery(request, { labels, timeoutMs });
  if (requestId !== undefined) requests.set(requestId, job);
  const asked = new URLSearchParams({ timeoutMs: String(heldMs) });
  if (maxResults !== undefined) asked.set('maxResults', String(maxResults));
  return queryResults(job, asked);
}

async function queryResults(job: Job<Outcome>, asked: URLSearchParams): Promise<object> {
  const heldMs = Number(asked.get('timeoutMs') ?? 10_000);
  const jobReference = referenceOf(job);
  const outcome = await Promise.race([job.outcome, sleep(heldMs, null)]);
  if (outcome === null) return { jobComplete: false, jobReference };
  if (outcome instanceof Error) throw outcome;
  const from = Number(asked.get('pageToken') ?? 0);
  const count = Number(asked.get('maxResults') ?? 100_000);
  const isQuery =
    outcome.statementType === 'SELECT' && !('destinationTable' in (job.configuration.query as object));
  const rows = isQuery ? await engine.read(outcome, from, count) : [];
  const next = from + rows.length;
  return {
    jobComplete: true,
    jobReference,
    schema: { fields: outcome.fields },
    totalRows: String(outcome.total),
    ...(outcome.affected !== null && { numDmlAffectedRows: String(outcome.affected) }),
    ...(rows.length > 0 && { rows }),
    ...(isQuery && next < outcome.total && { pageToken: String(next) }),
  };
}

async function insertJob({ jobReference, configuration }: JobRequest): Promise<object> {
  const { query, labels, jobTimeoutMs: timeoutMs, dryRun } = configuration;
  if (!query) throw new Refusal(400, 'required', 'Required parameter is missing: query');
  if (!dryRun) return jobResource(beginQuery(query, { id: jobReference?.jobId, labels, timeoutMs }), true);
  told.dryRuns.push(query.queryParameters ?? []);
  const outcome = await engine.query(query, { dryRun: true });
  const referencedTables =
    outcome.statementType === 'SELECT'
      ? await engine.tablesOf(query.query, query.defaultDataset?.datasetId)
      : [];
  return {
    status: { state: 'DONE' },
    statistics: {
      totalBytesProcessed: String(troubles.bytes),
      query: { statementType: outcome.statementType, schema: { fields: outcome.fields }, referencedTables },
    },
  };
}

/** A job as it is now, or, unless that is not to be waited for, when it has ended. */
async function jobResource(job: Job<Outcome>, isNow = false): Promise<object> {
  const jobReference = referenceOf(job);
  if (job.state === 'RUNNING' && isNow) return { jobReference, status: { state: 'RUNNING' } };
  const outcome = await Promise.race([job.outcome, sleep(20, null)]);
  if (outcome === null) return { jobReference, status: { state: 'RUNNING' } };
  if (outcome instanceof Refusal) {
    const { reason, message } = outcome;
    return { jobReference, status: { state: 'DONE', errorResult: { reason, message } } };
  }
  if (outcome instanceof Error) throw outcome;
  return {
    jobReference,
    status: { state: 'DONE' },
    statistics: {
      query: { statementType: outcome.statementType },
      load: { outputRows: String(outcome.total) },
    },
  };
}

function referenceOf({ id }: Job<Outcome>): object {
  return { projectId, jobId: id, location: 'US' };
}
