import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  execute,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  parse,
  subscribe,
  validate,
} from 'graphql';
import pg from 'pg';
import { expect } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { scopesOf } from '#accounts/permissions.ts';
import { signUp } from '#accounts/sign-up.ts';
import { type App, openApp } from '#app.ts';
import { newId } from '#base/id.ts';
import { createLog } from '#base/log.ts';
import { createMeter } from '#catalog/meter.ts';
import type { Role, Scope } from '#generated/prisma/enums.ts';
import type { Context } from '#graphql/context.ts';
import { toGraphQLError } from '#graphql/error-codes.ts';
import { withEndpoints } from '#graphql/endpoint-schema.ts';
import { schema as ofAll } from '#graphql/schema.ts';
import { createTestDatabase } from './database.ts';

export type Variables = Record<string, unknown>;

/** An answer's data as a client has it: whatever the JSON says. */
export type Data = ReturnType<typeof JSON.parse>;

export interface Answer {
  data: Data;
  errors: readonly GraphQLError[];
  /** What the operation set as session cookie: null when it cleared it, undefined when it did neither. */
  cookie: string | null | undefined;
}

/** The schema over a whole App on a database of its own, asked as whichever viewer. */
export interface TestGraphql extends AsyncDisposable {
  app: App;
  /** A folder that files sources may read and parquet destinations may write. */
  filesRoot: string;
  /** A new account with one project; its owner. */
  signUp(username: string): Promise<Viewer>;
  /** Another member of the owner's account, in the same project. */
  member(owner: Viewer, role: Role): Promise<Viewer>;
  /** An API key of the owner's project. */
  apiKey(owner: Viewer, scopes: Scope[]): Promise<Viewer>;
  /** The data. Fails with operation, variables, answer and request id when there are errors. */
  ask(viewer: Viewer | null, query: string, variables?: Variables): Promise<Data>;
  /** The answer, whatever it is. */
  answer(viewer: Viewer | null, query: string, variables?: Variables, signal?: AbortSignal): Promise<Answer>;
  /** The answers of a subscription; one with errors when it is refused. Ends with the signal. */
  follow(
    viewer: Viewer | null,
    query: string,
    variables?: Variables,
    signal?: AbortSignal,
  ): AsyncGenerator<Answer>;
}

/** Opens the App, without workers unless said, so that a task stays as it was made. */
export async function openTestGraphql({
  workers = 0,
  webhookHosts = [] as string[],
  emulatorHosts = [] as string[],
} = {}): Promise<TestGraphql> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await createTestDatabase());
  const home = await mkdtemp(join(tmpdir(), 'sluice-graphql-'));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  const filesRoot = join(home, 'files');
  const app = opening.use(
    await openApp(
      {
        databaseUrl: database.url,
        home,
        host: '127.0.0.1',
        port: 0,
        filesRoot,
        endpoints: join(home, 'endpoints'),
        secretKey: Buffer.alloc(32, 7),
        signUp: 'open',
        workers,
        cacheMb: 64,
        webhookHosts,
        emulatorHosts,
        demoWarehouse: 'duckdb',
        logLevel: 'error',
      },
      'serve',
      { log: createLog('error') },
    ),
  );
  const opened = opening.move();
  return {
    app,
    filesRoot,
    ...people(app),
    ...asking(app),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function people(app: App): Pick<TestGraphql, 'signUp' | 'member' | 'apiKey'> {
  return {
    async signUp(username) {
      const input = { username, email: `${username}@example.com`, password: 'correct horse battery staple' };
      return (await signUp(app.accounts, input)).viewer;
    },
    async member(owner, role) {
      const id = newId();
      const { accountId } = owner;
      const name = `${role.toLowerCase()}-${id.slice(-6)}`;
      const data = {
        id,
        accountId,
        username: name,
        email: `${name}@example.com`,
        passwordHash: '',
        role,
        createdAt: new Date(),
      };
      await app.store.db.member.create({ data });
      return { ...owner, memberId: id, role, scopes: scopesOf(role), sessionId: null };
    },
    async apiKey(owner, scopes) {
      const id = newId();
      const { accountId, projectId } = owner;
      const data = {
        id,
        accountId,
        projectId,
        name: `key ${id}`,
        prefix: id,
        secretHash: Buffer.from(id),
        scopes,
        createdAt: new Date(),
      };
      await app.store.db.apiKey.create({ data });
      return { accountId, projectId, memberId: null, apiKeyId: id, role: null, scopes, sessionId: null };
    },
  };
}

function asking(app: App): Pick<TestGraphql, 'ask' | 'answer' | 'follow'> {
  const answer: TestGraphql['answer'] = async (viewer, query, variables, signal) => {
    const operation = await begin(app, viewer, query, variables, signal);
    if (operation.refused) return operation.refused;
    const result = await execute({ ...operation.args, contextValue: operation.context });
    return present(result, operation);
  };
  return {
    answer,
    async ask(viewer, query, variables) {
      const answered = await answer(viewer, query, variables);
      if (answered.errors.length === 0 && answered.data) return answered.data;
      throw new Error(dump(query, variables, answered));
    },
    async *follow(viewer, query, variables, signal) {
      const operation = await begin(app, viewer, query, variables, signal);
      if (operation.refused) {
        yield operation.refused;
        return;
      }
      const events = await subscribe({ ...operation.args, contextValue: operation.context });
      if (!(Symbol.asyncIterator in events)) {
        yield present(events, operation);
        return;
      }
      for await (const event of events) yield present(event, operation);
    },
  };
}

interface Operation {
  args: { schema: GraphQLSchema; document: ReturnType<typeof parse>; variableValues: Variables | undefined };
  context: Context;
  cookie: string | null | undefined;
  refused?: Answer;
}

async function begin(
  app: App,
  viewer: Viewer | null,
  query: string,
  variables: Variables | undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<Operation> {
  const requestId = newId();
  const document = parse(query);
  const schema = await schemaOf(app, viewer);
  const operation: Operation = {
    args: { schema, document, variableValues: variables },
    context: {
      app,
      viewer,
      requestId,
      signal,
      startedAt: performance.now(),
      meter: createMeter(),
      setSessionCookie: (token) => {
        operation.cookie = token;
      },
    },
    cookie: undefined,
  };
  const invalid = validate(schema, document);
  if (invalid.length > 0) operation.refused = present({ errors: invalid }, operation);
  return operation;
}

/** As the server finds it, and none of the statements that are counted. */
function schemaOf({ endpoints }: App, viewer: Viewer | null): Promise<GraphQLSchema> {
  if (viewer === null) return Promise.resolve(ofAll);
  return measured.exit(async () => withEndpoints(ofAll, await endpoints.registry.of(viewer.projectId)));
}

function present(result: ExecutionResult, { context, cookie }: Operation): Answer {
  const errors = (result.errors ?? []).map((error) => {
    const shown = toGraphQLError(error, context.requestId);
    // A masked error would leave a failing test without its cause.
    if (shown.extensions.code === 'INTERNAL')
      shown.extensions.cause = error.originalError?.stack ?? error.stack;
    return shown;
  });
  return { data: result.data, errors, cookie };
}

function dump(query: string, variables: Variables | undefined, answer: Answer): string {
  const requestId = answer.errors[0]?.extensions.requestId;
  return `${query}\nvariables: ${JSON.stringify(variables ?? {})}\nanswer: ${JSON.stringify(answer, null, 2)}\nrequest id: ${String(requestId)}`;
}

export interface MadeStatement {
  text: string;
  values: unknown[];
}

/** Tells the statements of what is measured from those of what goes on beside it, such as the watch over workers. */
const measured = new AsyncLocalStorage<MadeStatement[]>();

/** The statements that `run` itself makes on the store. */
export async function statementsOf(run: () => Promise<unknown>): Promise<MadeStatement[]> {
  const statements: MadeStatement[] = [];
  await recording(
    () => measured.run(statements, run),
    (statement) => measured.getStore()?.push(statement),
  );
  return statements;
}

/** All statements that are made on the store while `run` runs, whoever makes them. */
export async function statementsDuring(run: () => Promise<unknown>): Promise<MadeStatement[]> {
  const statements: MadeStatement[] = [];
  await recording(run, (statement) => statements.push(statement));
  return statements;
}

async function recording(
  run: () => Promise<unknown>,
  record: (statement: MadeStatement) => void,
): Promise<void> {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function recorded(this: pg.Client, ...args: unknown[]) {
    const [first, second] = args as [string | Partial<MadeStatement> | undefined, unknown];
    const text = typeof first === 'string' ? first : first?.text;
    const values = typeof first === 'string' ? second : first?.values;
    if (isOfStore(this) && text !== undefined) record({ text, values: Array.isArray(values) ? values : [] });
    return Reflect.apply(query, this, args) as never;
  };
  try {
    await run();
  } finally {
    pg.Client.prototype.query = query;
  }
}

/** Fails, with the statements, when `run` makes another number of them than said. */
export async function expectStatements(count: number, run: () => Promise<unknown>): Promise<void> {
  const made = await statementsOf(run);
  expect(made.length, made.map(({ text }) => text).join('\n')).toBe(count);
}

function isOfStore(client: pg.Client): boolean {
  const { connectionParameters: of } = client as unknown as {
    connectionParameters: { application_name?: string };
  };
  return of.application_name === 'sluice serve';
}
