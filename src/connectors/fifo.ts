import { execFile } from 'node:child_process';
import { constants, open } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { newId } from '#base/id.ts';
import { ConnectorError } from './contract.ts';

/** A pipe with a name: what is written to it a scan of DuckDB reads as a file. */
export interface Fifo extends AsyncDisposable {
  path: string;
  /**
   * The writing end, once a reader has opened the other. Rejects when the FIFO is disposed of before. Ending or
   * destroying it is the end of the file for the reader.
   */
  writer: Promise<Writable>;
}

const run = promisify(execFile);
const pollFirstMs = 1;
const pollMaxMs = 20;

/**
 * Makes a FIFO in a private folder. A reader blocks a thread of libuv's pool from its open to the end of the file, and
 * cannot be interrupted there. So the writing end is opened as soon as a reader waits, without ever waiting itself, and
 * disposing closes it: whatever fails on either side, no reader stays behind.
 */
export async function makeFifo(pipesDir: string): Promise<Fifo> {
  const path = join(pipesDir, `part-${newId()}`);
  await run('mkfifo', ['-m', '600', path]).catch((error: unknown) => {
    throw new ConnectorError('INTERNAL', `No FIFO could be made in ${pipesDir}: ${String(error)}`, {
      fix: 'The program mkfifo (coreutils) must be there and the folder writable. Windows has none: use WSL.',
      cause: error,
    });
  });
  const stop = new AbortController();
  let socket: Socket | undefined;
  const writer = openWhenRead(path, stop.signal).then(async (fd) => {
    // Nobody else can open it from now on, and a crash leaves nothing behind.
    await unlink(path).catch(() => undefined);
    socket = new Socket({ fd, readable: false, writable: true });
    socket.on('error', () => undefined);
    if (stop.signal.aborted) socket.destroy();
    return socket;
  });
  writer.catch(() => undefined);
  return {
    path,
    writer,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the FIFO was closed before anyone read it'));
      await writer.catch(() => undefined);
      socket?.destroy();
      await unlink(path).catch(() => undefined);
    },
  };
}

/** Polls, since opening the writing end of a FIFO fails at once (ENXIO) as long as nobody has opened it for reading. */
async function openWhenRead(path: string, signal: AbortSignal): Promise<number> {
  for (let waitMs = pollFirstMs; ; waitMs = Math.min(waitMs * 2, pollMaxMs)) {
    // Looked at before the attempt, so that a reader that waits already is released even by the last one.
    const last = signal.aborted;
    const fd = await tryOpen(path);
    if (fd !== null) return fd;
    if (last) throw signal.reason;
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

function tryOpen(path: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    open(path, constants.O_WRONLY | constants.O_NONBLOCK, (error, fd) => {
      if (!error) resolve(fd);
      else if (error.code === 'ENXIO') resolve(null);
      else reject(error);
    });
  });
}
