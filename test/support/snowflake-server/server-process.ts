import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Binding } from '#warehouse/snowflake-values.ts';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';
import { endWithParent } from '../server-child.ts';
import { Access, type Who } from './access.ts';
import { Engine, type Outcome, Refusal } from './engine.ts';
import { type Account, Sessions } from './sessions.ts';
import { runnerOf } from './run-as.ts';
import { Stage } from './stage.ts';
import { asWritten, type WrittenHow } from './values.ts';
import type { Command, ServerOptions, Told } from './start-server.ts';

/** One statement as it runs: a request with its id is answered once, however often it is sent. */
interface Query {
  id: string;
  requestId: string;
  how: WrittenHow;
  outcome: Promise<Outcome | Refusal>;
  stop: (why: Refusal) => void;
}

/** So long an answer is held back before it is said that the statement still runs. 45 s at Snowflake. */
const heldMs = 250;
const chunkRows = 20_000;
const chunkKey = 'c2x1aWNlLXRlc3Q=';
const keptQueries = 1_000;
/** The one refusal that has a status of its own. */
const unknownToken = '390104';

const gzipped = promisify(gzip);

const options = JSON.parse(process.argv[2]!) as ServerOptions & { account: Account; folder: string };
const stage = new Stage(options.folder);
const engine = await Engine.open(options.database, stage.folder);
const sessions = new Sessions(options.account);
const access = new Access();
const runAs = runnerOf(engine, access, options.database);
const queries = new Map<string, Query>();
/** What goes wrong next, and how often. */
const troubles = { chunks: 0, status: 0, statusCount: 0, expiredUrls: 0, lost: 0, lateMs: 0, rowsMax: 0 };
const told: Told = {
  logins: 0,
  renewals: 0,
  ended: 0,
  aborted: 0,
  running: 0,
  waits: 0,
  uploads: 0,
  stalled: 0,
  staged: [],
  tags: [],
  texts: [],
  timeouts: [],
};
/** Whether no statement ends. */
let isHolding = false;
/** What happens before the next statement with these words. */
let ambush: Extract<Command, { before: object }>['before'] | null = null;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : undefined);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
endWithParent(options.folder);
process.on('message', (command: Command) => {
  if ('expire' in command) sessions.expire(command.expire);
  if ('trouble' in command) {
    const {
      uploads = stage.cuts,
      stalledUploads = stage.stalls,
      keptFiles = stage.kept,
      ...others
    } = command.trouble;
    Object.assign(stage, { cuts: uploads, stalls: stalledUploads, kept: keptFiles });
    Object.assign(troubles, others);
  }
  if ('hold' in command) isHolding = command.hold;
  if ('cancel' in command) for (const query of queries.values()) query.stop(canceled());
  if ('before' in command) ambush = command.before;
  const { logins, renewals, ended } = sessions;
  const aged = 'age' in command ? stage.age(command.age) : Promise.resolve();
  void aged
    .then(() => stage.list())
    .then((files) => {
      const staged = files.map(({ name }) => name);
      process.send!({
        ...told,
        logins,
        renewals,
        ended,
        uploads: stage.uploads,
        stalled: stage.stalled,
        staged,
      });
    });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://server');
  if (url.pathname.startsWith('/chunks/')) return sendChunk(url, request, response);
  if (url.pathname.startsWith('/stage/')) return stage.answer(url.pathname, request, response);
  const body = request.method === 'POST' ? ((await json(request)) as Record<string, unknown>) : {};
  // What is stopped late would take the trouble that was meant for the next statement.
  if (troubles.statusCount > 0 && url.pathname !== '/queries/v1/abort-request') {
    troubles.statusCount -= 1;
    // Where it is sent to, only Snowflake's own can go.
    const isSent = troubles.status === 307 || troubles.status === 308;
    response.writeHead(troubles.status, isSent ? { location: 'http://10.0.0.1:1/' } : {});
    response.end('upstream trouble');
    return;
  }
  const reply = await replyTo(url, body, tokenOf(request));
  const status = 'code' in reply && reply.code === unknownToken ? 401 : 200;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
}

function tokenOf(request: IncomingMessage): string {
  return /^Snowflake Token="(.+)"$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
}

async function replyTo(url: URL, body: Record<string, unknown>, token: string): Promise<object> {
  if (url.pathname === '/session/v1/login-request') return logIn(url, body.data as object);
  if (url.pathname === '/session/token-request') return renew(token);
  const problem = troubles.lost > 0 ? '390111' : sessions.problemOf(token);
  if (troubles.lost > 0) troubles.lost -= 1;
  if (problem !== null) return failure(problem, '08001', 'The session is over.');
  const session = sessions.idOf(token);
  if (url.pathname === '/session') {
    await engine.endSession(session);
    sessions.end(token);
    return success({});
  }
  if (url.pathname === '/queries/v1/query-request') return ask(url, body, session, sessions.whoOf(token));
  if (url.pathname === '/queries/v1/abort-request') {
    const running = [...queries.values()].find(({ requestId }) => requestId === body.requestId);
    told.aborted += 1;
    if (!running) return failure('000605', '57014', 'Identified SQL statement is not currently executing.');
    running.stop(canceled());
    return success({});
  }
  const [, id = ''] = /^\/queries\/([^/]+)\/result$/.exec(url.pathname) ?? [];
  const query = queries.get(id);
  return query ? resultOf(query) : failure('000709', '02000', `Statement ${id} not found`);
}

function logIn({ searchParams }: URL, data: object): object {
  // A name in quotes is what stands in them.
  const named = (of: string) => tokensOf(searchParams.get(of) ?? '')[0]?.text ?? null;
  const [role, warehouse] = [named('roleName'), named('warehouse') ?? ''];
  const session = sessions.logIn(data, { role, warehouse });
  if (role !== null && !access.hasRole(role)) {
    return failure(
      '390189',
      '08001',
      `Role '${role}' specified in the connect string does not exist or not authorized.`,
    );
  }
  if (Array.isArray(session)) return failure(session[0], '08001', session[1]);
  return success({
    token: session.session,
    masterToken: session.master,
    validityInSeconds: 3_600,
    masterValidityInSeconds: 14_400,
    sessionId: 1,
    parameters: [],
    sessionInfo: {
      databaseName: options.database,
      schemaName: 'PUBLIC',
      warehouseName: 'WH',
      roleName: 'SLUICE',
    },
  });
}

function renew(master: string): object {
  const session = sessions.renew(master);
  if (!session) return failure('390114', '08001', 'The master token has expired.');
  return success({
    sessionToken: session.session,
    masterToken: session.master,
    validityInSecondsST: 3_600,
    validityInSecondsMT: 14_400,
  });
}

interface QueryBody {
  sqlText: string;
  describeOnly?: boolean;
  bindings?: Record<string, Binding>;
  parameters?: WrittenHow & {
    QUERY_TAG?: string;
    STATEMENT_TIMEOUT_IN_SECONDS?: number;
  };
}

async function ask(url: URL, body: Record<string, unknown>, session: string, who: Who): Promise<object> {
  const requestId = url.searchParams.get('requestId') ?? '';
  const known = [...queries.values()].find((query) => query.requestId === requestId);
  if (known) return resultOf(known);
  const { sqlText, describeOnly = false, bindings = {}, parameters = {} } = body as unknown as QueryBody;
  const refusal = await ambushed(sqlText, session);
  if (refusal) return refusal;
  if (troubles.lateMs > 0) await sleep(troubles.lateMs);
  const [, word = '', place = ''] = /^\s*(PUT|REMOVE|LIST)\s+(?:'@~\/([^']*)')?/.exec(sqlText) ?? [];
  if (word === 'PUT') return success(stage.put(sqlText, requestId, addressOf()));
  if (word === 'REMOVE' && stage.kept > 0) stage.kept -= 1;
  else if (word === 'REMOVE') await stage.remove(place);
  told.texts.push(sqlText);
  told.tags.push(parameters.QUERY_TAG ?? '');
  told.timeouts.push(parameters.STATEMENT_TIMEOUT_IN_SECONDS ?? 0);
  let stopped: Refusal | null = null;
  let interrupt = () => {};
  const stop = (why: Refusal) => {
    stopped ??= why;
    interrupt();
  };
  const onStart = (stopIt: () => void) => {
    interrupt = stopIt;
    if (stopped) stopIt();
  };
  const removed = word === 'REMOVE' && "SELECT '' AS name, 'removed' AS result";
  const text = removed || (word === 'LIST' ? await stage.listSql(place) : sqlText);
  const running = runAs(who, { text, bindings }, { session, describeOnly, onStart });
  const limit = setTimeout(
    () => stop(new Refusal('000630', '57014', 'Statement reached its statement timeout and was canceled.')),
    (parameters.STATEMENT_TIMEOUT_IN_SECONDS ?? 172_800) * 1000,
  );
  told.running += 1;
  const outcome = running
    .catch((error: unknown) => stopped ?? (error as Refusal))
    .finally(() => {
      told.running -= 1;
      clearTimeout(limit);
    });
  const query = { id: `q${queries.size}-${requestId}`, requestId, how: parameters, outcome, stop };
  queries.set(query.id, query);
  if (queries.size > keptQueries) queries.delete(queries.keys().next().value!);
  return resultOf(query);
}

const addressOf = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** What a test has laid for this statement; null when it is to be run. */
async function ambushed(text: string, session: string): Promise<object | null> {
  if (ambush === null || !text.includes(ambush.words)) return null;
  const { how } = ambush;
  ambush = null;
  if (how === 'spoil') await stage.spoil();
  if (how === 'refuse') return failure('000603', 'XX000', 'SQL execution internal error');
  if (how === 'deny') {
    const said = "SQL access control error: Insufficient privileges to operate on schema 'raw'";
    return failure('003001', '42501', said);
  }
  if (how === 'much') {
    const said =
      'Information schema query returned too much data. Please repeat query with more selective predicates.';
    return failure('090030', '22000', said);
  }
  if (how === 'end') {
    await engine.endSession(session);
    sessions.expire('gone');
    return failure('390111', '08001', 'The session is over.');
  }
  return null;
}

async function resultOf(query: Query): Promise<object> {
  const done = await Promise.race([query.outcome, sleep(heldMs, null)]);
  const outcome = isHolding ? null : done;
  if (outcome === null) {
    const data = { queryId: query.id, getResultUrl: `/queries/${query.id}/result` };
    told.waits += 1;
    // Which of the two it says depends on how the statement was sent, and a client is to take either.
    const code = told.waits % 2 === 1 ? '333333' : '333334';
    return { success: true, code, message: 'Query execution in progress', data };
  }
  if (outcome instanceof Refusal) {
    return failure(outcome.code, outcome.sqlState, outcome.message, { queryId: query.id });
  }
  if (!('rowtype' in outcome)) throw outcome;
  const { rowtype, rows, kept, statementTypeId } = outcome;
  const rowsMax = query.how.ROWS_PER_RESULTSET ?? troubles.rowsMax;
  if (rowsMax > 0) rows.splice(rowsMax);
  const total = kept?.total ?? rows.length;
  const chunks = Array.from({ length: kept ? Math.ceil(total / chunkRows) : 0 }, (_, at) => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/chunks/${query.id}/${at}`,
    rowCount: Math.min(chunkRows, total - at * chunkRows),
    uncompressedSize: 0,
    compressedSize: 0,
  }));
  return success({
    queryId: query.id,
    queryResultFormat: 'json',
    statementTypeId,
    version: 1,
    parameters: [],
    rowtype,
    rowset: asWritten(rows, rowtype, query.how),
    total,
    returned: total,
    ...(kept && { chunks, qrmk: chunkKey }),
  });
}

async function sendChunk(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, , id, at] = url.pathname.split('/');
  const query = queries.get(id!);
  const outcome = await query?.outcome;
  const isKnown = request.headers['x-amz-server-side-encryption-customer-key'] === chunkKey;
  if (troubles.expiredUrls > 0 || !isKnown || !outcome || !('kept' in outcome) || !outcome.kept) {
    troubles.expiredUrls -= 1;
    response.writeHead(403).end();
    return;
  }
  const { kept, rowtype } = outcome;
  const rows = asWritten(
    await engine.read(kept, rowtype, Number(at) * chunkRows, chunkRows),
    rowtype,
    query!.how,
  );
  const bytes = await gzipped(rows.map((row) => JSON.stringify(row)).join(',\n'), { level: 1 });
  const isBroken = troubles.chunks > 0;
  if (isBroken) troubles.chunks -= 1;
  response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bytes.byteLength });
  if (isBroken) response.write(bytes.subarray(0, bytes.byteLength / 2), () => response.destroy());
  else response.end(bytes);
}

function canceled(): Refusal {
  return new Refusal('000604', '57014', 'SQL execution canceled');
}

function success(data: object): object {
  return { success: true, code: null, message: null, data };
}

function failure(code: string, sqlState: string, message: string, more: object = {}): object {
  return { success: false, code, message, data: { sqlState, errorCode: code, ...more } };
}
