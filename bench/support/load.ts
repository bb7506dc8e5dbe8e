import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

export interface Load {
  /** `{n}` in it, or in the body, is a number that is never sent twice. */
  url: string;
  headers: Record<string, string>;
  /** Posted; without one it is a GET. */
  body?: string;
  connections: number;
  seconds: number;
}

export interface Loaded {
  answersPerSecond: number;
  /** CPU milliseconds that the calling process took for each answer: those of the server, where it runs there. */
  cpuMs: number;
  /** Of each answer, sorted. */
  ms: number[];
}

/**
 * Sends one request again and again over so many kept connections, from a process of its own, so that the server under load keeps
 * its own for itself. Fails when an answer has another status than 200, or, where all requests are the same, another length
 * than the first.
 */
export async function load(options: Load): Promise<Loaded> {
  const child = fork(import.meta.filename, { serialization: 'advanced' });
  const before = process.cpuUsage();
  child.send(options);
  const [told] = (await once(child, 'message')) as [{ loaded: Sent } | { failed: string }];
  const { user, system } = process.cpuUsage(before);
  child.kill();
  if ('failed' in told) throw new Error(told.failed);
  const { loaded } = told;
  return { ...loaded, cpuMs: (user + system) / 1_000 / loaded.ms.length };
}

type Sent = Omit<Loaded, 'cpuMs'>;

/** Over bare sockets: a client of HTTP would take as much of the machine as the server. */
async function run(options: Load): Promise<Sent> {
  const { connections, seconds } = options;
  const ms: number[] = [];
  let sent = 0;
  const isSame = !`${options.url}${options.body ?? ''}`.includes('{n}');
  // Beyond what any other run has sent.
  const base = Date.now() * 1_000;
  let length: number | undefined;
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      await using connection = await openConnection(options.url);
      while (performance.now() < endAt) {
        const text = textOf(options, base + (sent += 1));
        const askedAt = performance.now();
        const answer = await connection.ask(text);
        length ??= answer.length;
        if (answer.status !== 200 || (isSame && answer.length !== length))
          throw new Error(`Status ${answer.status}, ${answer.length} bytes, the first had ${length}.`);
        ms.push(performance.now() - askedAt);
      }
    }),
  );
  const took = performance.now() - startedAt;
  return { answersPerSecond: (ms.length / took) * 1000, ms: ms.toSorted((one, other) => one - other) };
}

function textOf({ url, headers, body }: Load, n: number): string {
  const { host, pathname, search } = new URL(url.replaceAll('{n}', String(n)));
  const sent = body?.replaceAll('{n}', String(n));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = sent === undefined ? '' : `content-length: ${Buffer.byteLength(sent)}\r\n`;
  return `${sent === undefined ? 'GET' : 'POST'} ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}${length}\r\n${sent ?? ''}`;
}

interface Connection extends AsyncDisposable {
  /** One at a time. */
  ask(text: string): Promise<{ status: number; length: number }>;
}

/** Reads answers whose length stands in their head, or that are sent in chunks. */
async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  let got = '';
  let waiting: { resolve(answer: { status: number; length: number }): void; reject(error: Error): void };
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    got += text;
    const headEnd = got.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = got.slice(0, headEnd);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    const end =
      length === undefined ? got.indexOf('\r\n0\r\n\r\n', headEnd) + 7 : headEnd + 4 + Number(length);
    if (length === undefined ? end < 7 : got.length < end) return;
    const answer = { status: Number(head.slice(9, 12)), length: end - headEnd - 4 };
    got = got.slice(end);
    waiting.resolve(answer);
  });
  socket.on('error', (error) => waiting.reject(error));
  socket.on('close', () => waiting.reject(new Error('The server closed the connection.')));
  return {
    ask(text) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(text);
      });
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

if (import.meta.main) {
  const [options] = (await once(process, 'message')) as [Load];
  const told = await run(options).then(
    (loaded) => ({ loaded }),
    (error: unknown) => ({ failed: String(error) }),
  );
  process.send!(told);
}
