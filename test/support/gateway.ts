import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** A real process of Sluice, started by the CLI as a user starts it. */
export interface Gateway extends AsyncDisposable {
  url: string;
  pid: number;
  /** All that the process has printed. */
  output(): string;
  /** Ends it as the kernel would; resolves when it is gone. */
  kill(): Promise<void>;
  /** Asks it to end with SIGTERM; resolves with its exit code and how long that took. */
  stop(): Promise<{ code: number | null; ms: number }>;
  /** Runs one operation; fails with the whole answer when it has errors. */
  ask<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>;
  /** Events of a subscription over WebSocket, until it ends, the signal aborts, or the connection is lost. */
  watch<Data>(query: string, variables: Record<string, unknown>, signal?: AbortSignal): AsyncIterable<Data>;
  token: string | undefined;
}

/** Polls until `read` gives something other than undefined; fails with `what` after the deadline. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T | undefined>,
  deadlineMs = 30_000,
): Promise<T> {
  const endAt = Date.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (Date.now() > endAt) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A folder of its own below the system's temporary folder, gone at the end. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts `sluice serve` (or `worker`), and resolves when it is ready. Fails with its output when it ends before. */
export async function startGateway(options: {
  home: string;
  command?: 'serve' | 'worker';
  port?: number;
  env?: Record<string, string>;
  token?: string;
}): Promise<Gateway> {
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [main, options.command ?? 'serve'], {
    env: {
      PATH: process.env.PATH,
      UV_THREADPOOL_SIZE: '16',
      SLUICE_HOME: options.home,
      SLUICE_PORT: String(port),
      SLUICE_FILES_ROOT: join(options.home, 'files'),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: string[] = [];
  child.stdout.on('data', (chunk) => printed.push(String(chunk)));
  child.stderr.on('data', (chunk) => printed.push(String(chunk)));
  const output = () => printed.join('');
  await eventually(
    `the ${options.command ?? 'serve'} to be ready`,
    async () => {
      if (child.exitCode !== null) throw new Error(`It ended with code ${child.exitCode}:\n${output()}`);
      if (options.command === 'worker') return /worker is ready/i.test(output()) || undefined;
      const answer = await fetch(`${url}/ready`).catch(() => undefined);
      return answer?.ok || undefined;
    },
    60_000,
  );
  return gatewayOf(child, url, output, options.token);
}

function gatewayOf(
  child: ChildProcess,
  url: string,
  output: () => string,
  token: string | undefined,
): Gateway {
  const ended = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    const startedAt = Date.now();
    child.kill(signal);
    await ended;
    return { code: child.exitCode, ms: Date.now() - startedAt };
  };
  const gateway: Gateway = {
    url,
    pid: child.pid ?? 0,
    output,
    token,
    async kill() {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    async ask<Data>(query: string, variables?: Record<string, unknown>) {
      const answer = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(gateway.token && { authorization: `Bearer ${gateway.token}` }),
        },
        body: JSON.stringify({ query, variables }),
      });
      const body = (await answer.json()) as { data?: Data; errors?: unknown };
      if (body.errors || !body.data)
        throw new Error(`${query}\n${JSON.stringify(variables)}\n${JSON.stringify(body)}`);
      return body.data;
    },
    watch: (query, variables, signal) => watch(gateway, query, variables, signal),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end('SIGTERM');
    },
  };
  return gateway;
}

async function* watch<Data>(
  gateway: Gateway,
  query: string,
  variables: Record<string, unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Data> {
  const client = createClient({
    url: `${gateway.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${gateway.token}` },
  });
  try {
    const events = client.iterate<Data>({ query, variables });
    signal?.addEventListener('abort', () => void events.return?.());
    for await (const event of events) {
      if (event.errors || !event.data) throw new Error(JSON.stringify(event));
      yield event.data;
    }
  } finally {
    await client.dispose();
  }
}

/** Signs the first member up and keeps the token for what follows. */
export async function signUp(gateway: Gateway): Promise<void> {
  const { signUp: payload } = await gateway.ask<{ signUp: { token: string | null; userErrors: unknown[] } }>(
    `mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { code message path } } }`,
    { input: { email: 'ada@example.com', username: 'ada', password: 'correct horse battery' } },
  );
  if (!payload.token) throw new Error(JSON.stringify(payload));
  gateway.token = payload.token;
}
