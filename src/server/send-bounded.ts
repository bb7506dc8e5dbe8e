import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

export interface Sender {
  /**
   * Sends one message. Resolves when it has left this process, so that whoever awaits it keeps one message waiting at
   * most; with false when the socket is closing or gone, so that whoever has more to send stops.
   */
  send(text: string): Promise<boolean>;
  /**
   * Sends one message made of pieces of UTF-8, each a frame of its own. Pieces that many sockets share are not copied.
   */
  sendPieces(pieces: readonly Buffer[]): Promise<boolean>;
}

/**
 * Sends over a socket and the stream below it. While more than `unsentBytesMax` wait for a client that does not read,
 * nothing is read from it either: answers to pings and errors, which nobody awaits, then cannot pile up.
 */
export function createSender(socket: WebSocket, stream: Duplex, unsentBytesMax: number): Sender {
  function sendAll(write: (sent: (error?: Error) => void) => void): Promise<boolean> {
    return new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) return resolve(false);
      write((error) => {
        if (socket.isPaused && socket.bufferedAmount <= unsentBytesMax / 2) socket.resume();
        resolve(!error);
      });
      if (!socket.isPaused && socket.bufferedAmount > unsentBytesMax) socket.pause();
    });
  }

  return {
    send: (text) => sendAll((sent) => socket.send(text, sent)),
    sendPieces: (pieces) =>
      sendAll((sent) => {
        stream.cork();
        pieces.forEach((piece, at) => {
          const fin = at === pieces.length - 1;
          socket.send(piece, { binary: false, fin }, fin ? sent : undefined);
        });
        stream.uncork();
      }),
  };
}
