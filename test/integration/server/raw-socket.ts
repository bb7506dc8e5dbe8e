import { WebSocket } from 'ws';
import { until } from './open-scratch.ts';

interface Message {
  id?: string;
  type: string;
  // What a test looks into is for the test to know.
  payload?: unknown;
}

export interface RawSocket {
  socket: WebSocket;
  messages: Message[];
  closed: { code: number; reason: string } | undefined;
  send(message: object | string): void;
  subscribe(id: string, query: string, variables?: Record<string, unknown>): void;
  /** The messages of one operation, as "next", "error", "complete". */
  types(id: string): string[];
  /** What the last answer to an operation holds. */
  data(id: string): Record<string, unknown> | null | undefined;
  /** What an operation was refused with. */
  errors(id: string): { message: string; extensions: Record<string, unknown> }[];
}

/** A WebSocket that speaks graphql-transport-ws by hand, so that tests can break its rules. */
export async function openRaw(
  url: string,
  options: { headers?: Record<string, string>; init?: object | null; autoPong?: boolean } = {},
): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers: options.headers ?? {},
    autoPong: options.autoPong ?? true,
  });
  const raw: RawSocket = {
    socket,
    messages: [],
    closed: undefined,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    subscribe: (id, query, variables) => raw.send({ id, type: 'subscribe', payload: { query, variables } }),
    types: (id) => raw.messages.filter((message) => message.id === id).map(({ type }) => type),
    data: (id) => {
      const answer = raw.messages.findLast((message) => message.id === id && message.type === 'next');
      return (answer?.payload as { data?: Record<string, unknown> | null } | undefined)?.data;
    },
    errors: (id) => {
      const refusal = raw.messages.find((message) => message.id === id && message.type === 'error');
      return (refusal?.payload ?? []) as ReturnType<RawSocket['errors']>;
    },
  };
  socket.on('message', (data: Buffer) => raw.messages.push(JSON.parse(data.toString('utf8')) as Message));
  socket.on('close', (code, reason) => (raw.closed = { code, reason: String(reason) }));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) =>
      reject(new Error(`status ${response.statusCode}`)),
    );
  });
  socket.on('error', () => {});
  if (options.init === null) return raw;
  raw.send({ type: 'connection_init', payload: options.init });
  await until(
    'the connection is acknowledged or refused',
    () => raw.messages.length > 0 || raw.closed !== undefined,
  );
  return raw;
}
