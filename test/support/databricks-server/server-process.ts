import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import TCLIService from '@databricks/sql/thrift/TCLIService.js';
import TCLIServiceTypes from '@databricks/sql/thrift/TCLIService_types.js';
import thrift, { type Processor } from 'thrift';
import { endWithParent } from '../server-child.ts';
import { Engine } from './engine.ts';
import { Refusal } from './refusals.ts';
import { Service } from './service.ts';
import type { Account, Command, ServerOptions, Told } from './start-server.ts';

const {
  account,
  database,
  folder: volumes,
} = JSON.parse(process.argv[2]!) as ServerOptions & {
  account: Account;
  folder: string;
};
const told: Told = {
  sessions: 0,
  ended: 0,
  canceled: 0,
  running: 0,
  closed: 0,
  signIns: 0,
  texts: [],
  tags: [],
  configurations: [],
  staged: [],
};
const engine = await Engine.open(database, volumes);
const service = new Service(engine, told);
/** What goes wrong next, and how often. */
const troubles = {
  status: 0,
  statusCount: 0,
  retryAfterSeconds: -1,
  said: '',
  lostFetches: 0,
  filesStatus: 0,
  filesCount: 0,
};
let tokens = new Set([account.token]);

const filesPath = '/api/2.0/fs/files';
const foldersPath = '/api/2.0/fs/directories';

const answers = typedAnswers();
const processor = new (TCLIService as unknown as { Processor: Processor }).Processor(answers);

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : undefined);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
endWithParent(volumes);
process.on('message', (command: Command) => {
  if ('forget' in command && command.forget === 'sessions') service.forgetSessions();
  if ('forget' in command && command.forget === 'tokens') tokens = new Set([account.token]);
  if ('trouble' in command) {
    const { brokenFetches, refused, words = '', ...rest } = command.trouble;
    if (refused) service.refuseNext = { words, why: new Refusal(...refused) };
    service.brokenFetches = brokenFetches ?? service.brokenFetches;
    Object.assign(troubles, { retryAfterSeconds: -1, said: '' }, rest);
  }
  const shown = 'shown' in command ? engine.show(command.shown.table, command.shown.text) : undefined;
  void Promise.all([readdir(volumes, { recursive: true, withFileTypes: true }), shown]).then(([found]) => {
    const staged = found.filter((each) => each.isFile()).map(({ name }) => name);
    process.send!({ ...told, staged });
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url!, 'http://server');
  const body = await buffer(request);
  if (pathname === '/oidc/v1/token') return signIn(request, body.toString(), response);
  const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
  if (!tokens.has(token)) {
    response.writeHead(403, { 'x-databricks-reason-phrase': 'Invalid access token.' }).end();
  } else if (pathname.startsWith(foldersPath)) {
    await folder(decodeURIComponent(pathname.slice(foldersPath.length)), response);
  } else if (pathname.startsWith(filesPath)) {
    await files(request.method!, decodeURIComponent(pathname.slice(filesPath.length)), body, response);
  } else if (pathname !== `/sql/1.0/warehouses/${account.warehouseId}`) {
    response.writeHead(404, { 'x-databricks-reason-phrase': 'SQL warehouse does not exist.' }).end();
  } else if (troubles.statusCount > 0) {
    troubles.statusCount -= 1;
    const { retryAfterSeconds, said } = troubles;
    response.writeHead(troubles.status, {
      ...(retryAfterSeconds >= 0 && { 'retry-after': String(retryAfterSeconds) }),
      ...(said !== '' && { 'x-thriftserver-error-message': said }),
    });
    response.end();
  } else {
    call(body, response);
  }
}

/** The Files API: what lies in a folder of a volume. */
async function folder(path: string, response: ServerResponse): Promise<void> {
  const found = await readdir(join(volumes, path)).catch(() => null);
  const contents = await Promise.all(
    (found ?? []).map(async (name) => {
      const { mtimeMs } = await stat(join(volumes, path, name));
      return { path: `${path}/${name}`, is_directory: false, last_modified: Math.floor(mtimeMs) };
    }),
  );
  response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ contents }));
}

/** The Files API: a file of a volume is put or removed. */
async function files(method: string, path: string, body: Buffer, response: ServerResponse): Promise<void> {
  const [, , catalog, schema, volume] = path.split('/');
  const isThere = catalog === database && schema === 'default' && volume === 'files';
  if (!isThere) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error_code: 'NOT_FOUND', message: `Volume '${path}' does not exist.` }));
    return;
  }
  if (method === 'PUT' && troubles.filesCount > 0) {
    troubles.filesCount -= 1;
    const message = "User does not have WRITE VOLUME on Volume 'default.files'.";
    response.writeHead(troubles.filesStatus, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error_code: 'PERMISSION_DENIED', message }));
    return;
  }
  const file = join(volumes, path);
  if (method === 'PUT') {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, body);
  } else await rm(file, { force: true });
  response.writeHead(204).end();
}

/** OAuth for service principals: client credentials by Basic authentication. */
function signIn(request: IncomingMessage, body: string, response: ServerResponse): void {
  const pair = Buffer.from(request.headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
  const form = new URLSearchParams(body);
  const isRight =
    pair === `${account.clientId}:${encodeURIComponent(account.clientSecret)}` &&
    form.get('grant_type') === 'client_credentials' &&
    form.get('scope') === 'all-apis';
  response.writeHead(isRight ? 200 : 401, { 'content-type': 'application/json' });
  if (!isRight) {
    const error_description = 'Client authentication failed';
    response.end(JSON.stringify({ error: 'invalid_client', error_description }));
    return;
  }
  told.signIns += 1;
  const token = `oauth-${told.signIns}`;
  tokens.add(token);
  response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 }));
}

/** One call of Thrift: its answer is lost on its way when a test says so. */
function call(body: Buffer, response: ServerResponse): void {
  const transport = new thrift.TBufferedTransport(undefined, (bytes) => {
    const isFetch = bytes.includes('FetchResults');
    if (isFetch && troubles.lostFetches > 0) {
      troubles.lostFetches -= 1;
      response.writeHead(200, { 'content-type': 'application/x-thrift' });
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-thrift' }).end(bytes);
  });
  thrift.TBufferedTransport.receiver((input) => {
    processor.process(new thrift.TBinaryProtocol(input), new thrift.TBinaryProtocol(transport));
  })(body);
}

/** The answers of the service as the types that Thrift writes. */
function typedAnswers(): object {
  const types = TCLIServiceTypes as unknown as Record<string, new (of: object) => object>;
  const names = [
    'OpenSession',
    'CloseSession',
    'ExecuteStatement',
    'GetOperationStatus',
    'GetResultSetMetadata',
    'FetchResults',
    'CancelOperation',
    'CloseOperation',
  ] as const;
  const calls = service as unknown as Record<string, (request: object) => Promise<object>>;
  return Object.fromEntries(
    names.map((name) => [
      name,
      async (request: object) => new types[`T${name}Resp`]!(await calls[name]!(request)),
    ]),
  );
}
