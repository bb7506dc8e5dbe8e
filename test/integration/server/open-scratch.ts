import type { Viewer } from '#accounts/viewer.ts';
import type { App } from '#app.ts';
import { AppError } from '#base/errors.ts';
import { createLog } from '#base/log.ts';
import type { Limits } from '#server/limits.ts';
import { serve, type Serving } from '#server/serve.ts';
import { type Scratch, scratchSchema } from './scratch-schema.ts';

export interface ScratchServer extends AsyncDisposable {
  url: string;
  serving: Serving;
  scratch: Scratch;
  /** Whom each token stands for. Deleting one is what logOut and revokeApiKey do. */
  tokens: Map<string, Viewer>;
  /** Sign-in links by their token, with the session's token that each gives. */
  links: Map<string, string>;
  /** What the store fails with when it is asked whether it is there. */
  store: { failure: Error | undefined };
  /** Whether the server takes nothing new. */
  stopping(): boolean;
  /** Lines that the server has logged. */
  logged: string[];
  /** One operation by POST, signed in as `token` if there is one. */
  ask(query: string, options?: AskOptions): Promise<Answer>;
}

export interface AskOptions {
  variables?: Record<string, unknown>;
  operationName?: string;
  token?: string;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  data: Record<string, unknown> | null | undefined;
  errors: {
    message: string;
    path?: string[];
    extensions: { code: string; requestId: string; fix?: string };
  }[];
}

export const owner: Viewer = {
  accountId: 'account',
  projectId: 'project',
  memberId: 'ada',
  apiKeyId: null,
  role: 'OWNER',
  scopes: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
  sessionId: 'session',
};

/** The real server over the scratch schema, with tokens in place of the store's accounts. */
export async function openScratch(
  limits: Partial<Limits> = {},
  host = '127.0.0.1',
  port = 0,
): Promise<ScratchServer> {
  const scratch = scratchSchema();
  const logged: string[] = [];
  const tokens = new Map<string, Viewer>([['secret-of-ada', owner]]);
  const links = new Map<string, string>();
  const log = createLog('debug', (line) => logged.push(line));
  const store = {
    failure: undefined as Error | undefined,
    db: { $queryRaw: () => (store.failure ? Promise.reject(store.failure) : Promise.resolve([])) },
  };
  let stopping = false;
  const app = { log, store } as unknown as App;
  const serving = await serve(app, {
    host,
    port,
    schema: scratch.schema,
    limits,
    access: {
      viewerOf: (token) => Promise.resolve(tokens.get(token) ?? null),
      signIn(link) {
        const token = links.get(link);
        links.delete(link);
        if (token) return Promise.resolve(token);
        return Promise.reject(new AppError('UNAUTHENTICATED', 'This sign-in link was used.'));
      },
    },
  });
  const { url } = serving;
  return {
    url,
    serving,
    scratch,
    tokens,
    links,
    store,
    stopping: () => stopping,
    logged,
    ask: (query, options) => ask(url, query, options),
    [Symbol.asyncDispose]() {
      const stopped = serving[Symbol.asyncDispose]();
      setImmediate(() => (stopping = true));
      return stopped;
    },
  };
}

async function ask(url: string, query: string, options: AskOptions = {}): Promise<Answer> {
  const { variables, operationName, token, headers } = options;
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables, operationName }),
  });
  return await answerOf(response);
}

export async function answerOf(response: Response): Promise<Answer> {
  const body = (await response.json()) as Partial<Answer>;
  return { status: response.status, headers: response.headers, data: body.data, errors: body.errors ?? [] };
}

/** Polls until `holds`; fails with `what` after the deadline. */
export async function until(what: string, holds: () => boolean, deadlineMs = 5_000): Promise<void> {
  const endAt = Date.now() + deadlineMs;
  while (!holds()) {
    if (Date.now() > endAt) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
