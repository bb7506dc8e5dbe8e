import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols, makeServer, type WebSocket as ProtocolSocket } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { credentialsOf } from './credentials.ts';
import { hostOf, isSecure } from './exchange.ts';
import type { GraphqlServer } from './graphql-server.ts';
import { isSameOrigin } from './same-origin.ts';
import { createSender } from './send-bounded.ts';
import { type Extra, socketOperations } from './socket-operations.ts';

/** Room for what is said after the code of a close, in bytes. */
const reasonBytesMax = 123;

export interface WebSockets extends AsyncDisposable {
  /** Takes over a request to upgrade, or refuses it with an HTTP status. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** graphql-transport-ws over `ws`. Disposing closes every socket with 1001, so that clients come back and resume. */
export function openWebSockets(server: GraphqlServer): WebSockets {
  const { limits, followers, app } = server;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.bodyBytesMax,
    handleProtocols,
    perMessageDeflate: false,
    clientTracking: true,
  });
  const protocol = makeServer<Record<string, unknown>, Extra>(socketOperations(server));
  const alive = new WeakSet<WebSocket>();
  const keepAlive = setInterval(() => {
    for (const socket of sockets.clients) checkAlive(socket, alive);
  }, limits.keepAliveMs);

  function accept(socket: WebSocket, request: IncomingMessage, stream: Duplex): void {
    followers.add(socket);
    alive.add(socket);
    socket.on('pong', () => alive.add(socket));
    socket.on('message', () => alive.add(socket));
    socket.on('error', (error) => app.log.debug('A WebSocket broke', { error: messageOf(error) }));
    const extra: Extra = {
      socket,
      sender: createSender(socket, stream, limits.unsentBytesMax),
      cookie: () => credentialsOf(request, isSecure(request)),
      credentials: null,
      showsMeter: false,
      running: new Set(),
      unwatch: undefined,
    };
    const closed = protocol.opened(adapt(socket, extra, app.log), extra);
    socket.once('close', (code, reason) => {
      followers.delete(socket);
      extra.unwatch?.();
      for (const leave of extra.running) leave.abort();
      closed(code, String(reason)).catch((error: unknown) =>
        app.log.error('A WebSocket did not close', { error }),
      );
    });
  }

  return {
    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      const refusal = whyNot(request, server);
      if (refusal) return refuseUpgrade(socket, refusal);
      sockets.handleUpgrade(request, socket, head, (open) => accept(open, request, socket));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(keepAlive);
      for (const socket of sockets.clients)
        closeSocket(socket, 1001, 'The server is stopping: resume in a moment');
      await allClosed(sockets, 1_000);
      sockets.close();
    },
  };
}

/** What graphql-ws needs of a socket. */
function adapt(socket: WebSocket, { sender }: Extra, log: Log): ProtocolSocket {
  return {
    protocol: socket.protocol,
    send: async (text) => void (await sender.send(text)),
    close: (code, reason) => closeSocket(socket, code, reason),
    onMessage: (take) => {
      socket.on('message', (data: Buffer) => {
        take(data.toString('utf8')).catch((error: unknown) => {
          log.error('A WebSocket message failed unexpectedly', { error });
          closeSocket(socket, 4500, 'Internal server error');
        });
      });
    },
  };
}

/** A client that has answered nothing since the last ping is gone, unless bytes still wait for it: those are watched elsewhere. */
function checkAlive(socket: WebSocket, alive: WeakSet<WebSocket>): void {
  if (!alive.has(socket) && socket.bufferedAmount === 0) return socket.terminate();
  alive.delete(socket);
  if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount === 0) socket.ping();
}

function closeSocket(socket: WebSocket, code = 1000, reason = ''): void {
  socket.close(code, Buffer.from(reason).subarray(0, reasonBytesMax).toString().replaceAll('\uFFFD', ''));
}

/** Resolves when every socket has closed; those that have not by the deadline are cut off. */
async function allClosed(sockets: WebSocketServer, deadlineMs: number): Promise<void> {
  const closing = [...sockets.clients].map(
    (socket) => new Promise((resolve) => socket.once('close', resolve)),
  );
  const timer = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
  }, deadlineMs);
  await Promise.all(closing);
  clearTimeout(timer);
}

interface Refusal {
  status: string;
  message: string;
}

function whyNot(request: IncomingMessage, server: GraphqlServer): Refusal | undefined {
  if (URL.parse(request.url ?? '/', 'http://localhost')?.pathname !== '/graphql') {
    return { status: '404 Not Found', message: 'WebSockets are served at /graphql.' };
  }
  if (server.stopping.aborted) {
    return { status: '503 Service Unavailable', message: 'The server is stopping: try again in a moment.' };
  }
  if (server.followers.size >= server.limits.followersMax) {
    return {
      status: '503 Service Unavailable',
      message: 'Too many clients follow something already: try again later.',
    };
  }
  // Browsers always say where a WebSocket comes from, and send the cookie along whoever opens it.
  if (request.headers.cookie && !isSameOrigin(request, hostOf(request))) {
    return {
      status: '403 Forbidden',
      message: 'A page of another origin may not open a WebSocket with a cookie.',
    };
  }
  return undefined;
}

function refuseUpgrade(socket: Duplex, { status, message }: Refusal): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  );
}
