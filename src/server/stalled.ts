import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What was last seen of a connection that has bytes to take. */
interface Seen {
  taken: number;
  at: number;
}

export interface StalledWatch extends Disposable {
  /** Looks once at every connection, as of `now` (performance.now()), and cuts off those that have stalled. */
  check(now: number): void;
}

/**
 * Cuts off connections that take none of the bytes waiting for them for `stalledMs`: whatever is open over them (an
 * event stream, a WebSocket, a large answer) would else be held for a client that does not read.
 */
export function watchStalled(server: Server, stalledMs: number): StalledWatch {
  const connections = new Map<Socket, Seen | null>();
  server.on('connection', (socket: Socket) => {
    connections.set(socket, null);
    socket.once('close', () => connections.delete(socket));
  });

  function check(now: number): void {
    for (const [socket, seen] of connections) {
      if (socket.writableLength === 0) {
        connections.set(socket, null);
        continue;
      }
      const taken = socket.bytesWritten - socket.writableLength;
      if (seen?.taken !== taken) connections.set(socket, { taken, at: now });
      else if (now - seen.at >= stalledMs) socket.destroy();
    }
  }

  const timer = setInterval(() => check(performance.now()), Math.max(100, stalledMs / 6));
  return { check, [Symbol.dispose]: () => clearInterval(timer) };
}
