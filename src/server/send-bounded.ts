import type { WebSocket } from 'ws';

export interface Sender {
  /**
   * Resolves when the text has left this process, so that whoever awaits it keeps one message waiting at most; with
   * false when the socket is closing or gone, so that whoever has more to send stops.
   */
  send(text: string): Promise<boolean>;
}

/**
 * Sends over a socket. While more than `unsentBytesMax` wait for a client that does not read, nothing is read from it
 * either: answers to pings and errors, which nobody awaits, then cannot pile up.
 */
export function createSender(socket: WebSocket, unsentBytesMax: number): Sender {
  return {
    send: (text) =>
      new Promise((resolve) => {
        if (socket.readyState !== socket.OPEN) return resolve(false);
        socket.send(text, (error) => {
          if (socket.isPaused && socket.bufferedAmount <= unsentBytesMax / 2) socket.resume();
          resolve(!error);
        });
        if (!socket.isPaused && socket.bufferedAmount > unsentBytesMax) socket.pause();
      }),
  };
}
