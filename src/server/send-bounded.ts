import type { WebSocket } from 'ws';

export interface Sender {
  /** Resolves when the text has left this process, so that whoever awaits it keeps one message waiting at most. */
  send(text: string): Promise<void>;
}

/**
 * Sends over a socket. While more than `unsentBytesMax` wait for a client that does not read, nothing is read from it
 * either: answers to pings and errors, which nobody awaits, then cannot pile up.
 */
export function createSender(socket: WebSocket, unsentBytesMax: number): Sender {
  return {
    send: (text) =>
      new Promise((resolve) => {
        if (socket.readyState !== socket.OPEN) return resolve();
        socket.send(text, () => {
          // An error here means that the socket is gone: its close event ends what ran on it.
          if (socket.isPaused && socket.bufferedAmount <= unsentBytesMax / 2) socket.resume();
          resolve();
        });
        if (!socket.isPaused && socket.bufferedAmount > unsentBytesMax) socket.pause();
      }),
  };
}
