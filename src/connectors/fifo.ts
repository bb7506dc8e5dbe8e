import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '#base/errors.ts';
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

/** A pipe with a name that a COPY of DuckDB writes to as to a file. */
export interface FifoReader extends AsyncDisposable {
  path: string;
  /** What was written there. Destroyed, it fails who writes on. */
  reader: Readable;
  /** Tells that whoever writes has done so: the reader then ends behind the last byte. */
  end(): void;
}

/** Makes FIFOs in a private folder; disposing removes those that nobody took. */
export interface Fifos extends AsyncDisposable {
  open(): Promise<Fifo>;
  openReader(): Promise<FifoReader>;
}

const run = promisify(execFile);
const pollFirstMs = 1;
const pollMaxMs = 20;

/** Node has no call to make one. Starting a program copies the page tables of a big process, so it makes several. */
const madeAtOnce = 8;

/** Nothing is made before the first is opened. */
export function makeFifos(pipesDir: string): Fifos {
  const spare: string[] = [];
  let making: Promise<void> | undefined;
  const make = async (): Promise<void> => {
    const paths = Array.from({ length: madeAtOnce }, () => join(pipesDir, `part-${newId()}`));
    await run('mkfifo', ['-m', '600', ...paths]).catch((error: unknown) => {
      throw new ConnectorError('INTERNAL', `No FIFO could be made in ${pipesDir}: ${messageOf(error)}`, {
        fix: 'The program mkfifo (coreutils) must be there and the folder writable. Windows has none: use WSL.',
        cause: error,
      });
    });
    spare.push(...paths);
  };
  const take = async (): Promise<string> => {
    for (let path = spare.pop(); ; path = spare.pop()) {
      if (path !== undefined) return path;
      making ??= make().finally(() => (making = undefined));
      await making;
    }
  };
  return {
    open: async () => openFifo(await take()),
    openReader: async () => openFifoReader(await take()),
    async [Symbol.asyncDispose]() {
      await making?.catch(() => undefined);
      for (const path of spare.splice(0)) rmSync(path, { force: true });
    },
  };
}

/**
 * A reader blocks a thread of libuv's pool from its open to the end of the file, and cannot be interrupted there. So the
 * writing end is opened as soon as a reader waits, without ever waiting itself, and disposing closes it: whatever fails
 * on either side, no reader stays behind.
 */
function openFifo(path: string): Fifo {
  const stop = new AbortController();
  let socket: Socket | undefined;
  const writer = openWhenRead(path, stop.signal).then((fd) => {
    // Nobody else can open it from now on, and a crash leaves nothing behind.
    rmSync(path, { force: true });
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
      rmSync(path, { force: true });
    },
  };
}

/**
 * Holds both ends, so that who opens it for writing never waits, and the end of the file comes when it is said and not when
 * nobody has opened it yet.
 */
function openFifoReader(path: string): FifoReader {
  const reader = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  reader.on('error', () => undefined);
  let held: number | null = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const end = () => {
    if (held !== null) closeSync(held);
    held = null;
  };
  return {
    path,
    reader,
    end,
    async [Symbol.asyncDispose]() {
      end();
      reader.destroy();
      rmSync(path, { force: true });
    },
  };
}

/** Polls, since opening the writing end of a FIFO fails at once (ENXIO) as long as nobody has opened it for reading. */
async function openWhenRead(path: string, signal: AbortSignal): Promise<number> {
  for (let waitMs = pollFirstMs; ; waitMs = Math.min(waitMs * 2, pollMaxMs)) {
    // Looked at before the attempt, so that a reader that waits already is released even by the last one.
    const last = signal.aborted;
    const fd = tryOpen(path);
    if (fd !== null) return fd;
    if (last) throw signal.reason;
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

/** At once in either case, so it needs no thread of the pool: those may all be held by scans that wait for this. */
function tryOpen(path: string): number | null {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return null;
    throw error;
  }
}
