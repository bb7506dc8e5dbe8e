import type { Writable } from 'node:stream';
import type pg from 'pg';
import { messageOf } from '#base/errors.ts';
import { ColumnMisfit, ConnectorError, type OpenPart, type StreamColumn } from '#connectors/contract.ts';
import type { Fifos } from '#connectors/fifo.ts';
import { misfitIn } from '#connectors/files/text-casts.ts';
import { hangUp } from '#warehouse/postgres-connect.ts';
import { CopyOut } from './copy-out.ts';
import { readError } from './read-error.ts';
import { scanSql } from './scan-sql.ts';
import type { Snapshot } from './snapshot.ts';

interface PartOptions {
  snapshot: Snapshot;
  /** COPY … TO STDOUT in text format. */
  copy: string;
  columns: readonly StreamColumn[];
  lineBytesMax: number;
  /** "public.orders", for messages. */
  what: string;
  fifos: Fifos;
}

/** The scan stops reading for a reason of its own, which its error tells: this one waits so long for that to be heard. */
const readerGoneMs = 1_000;

/**
 * Opens a part, once its connection stands: a scan that waits holds a thread which looking up the host may need. Its bytes
 * begin to flow when a scan opens the FIFO. Aborting ends the file for the scan at once.
 */
export async function openCopyPart(options: PartOptions, signal: AbortSignal): Promise<OpenPart> {
  const fifo = await options.fifos.open();
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  let copy: CopyOut | undefined;
  let failure: unknown;

  const connected = Promise.withResolvers<void>();
  const send = async (client: pg.Client): Promise<void> => {
    connected.resolve();
    const sink = await raceAbort(fifo.writer, stopped);
    copy = new CopyOut(options.copy, sink);
    const running = copy;
    // Destroying is the end of the file for the scan, which would otherwise wait on.
    const cancel = () => {
      sink.destroy();
      hangUp(client);
    };
    stopped.addEventListener('abort', cancel, { once: true });
    try {
      client.query(running);
      await Promise.race([running.finished, readerGone(sink)]);
      await endOf(sink);
    } catch (error) {
      stopped.throwIfAborted();
      throw error;
    } finally {
      stopped.removeEventListener('abort', cancel);
      sink.destroy();
    }
  };

  const finished = options.snapshot.use(stopped, send).catch((error: unknown) => {
    fifo.writer.then((sink) => sink.destroy()).catch(() => undefined);
    signal.throwIfAborted();
    failure = error instanceof ReaderGone ? undefined : readError(options.what, error);
    throw failure ?? error;
  });
  await Promise.race([connected.promise, finished]).catch(async (error: unknown) => {
    await fifo[Symbol.asyncDispose]();
    throw error;
  });
  finished.catch(() => undefined);

  return {
    scan: scanSql(fifo.path, options.columns, options.lineBytesMax),
    finished,
    bytesRead: () => copy?.bytes ?? 0,
    explain: (error) => explain(error, failure, options),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the part was closed'));
      await fifo[Symbol.asyncDispose]();
      await finished.catch(() => undefined);
    },
  };
}

class ReaderGone extends Error {}

/** Rejects some time after the scan has closed its end. */
function readerGone(sink: Writable): Promise<never> {
  return new Promise((_, reject) => {
    sink.once('error', () => {
      setTimeout(
        () => reject(new ReaderGone('the scan stopped reading before the end')),
        readerGoneMs,
      ).unref();
    });
  });
}

function endOf(sink: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.once('error', reject);
    sink.end(resolve);
  });
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}

/** A scan that failed because the source did says nothing of its own. */
function explain(
  error: unknown,
  failure: unknown,
  options: PartOptions,
): ColumnMisfit | ConnectorError | undefined {
  if (failure instanceof ConnectorError) return failure;
  const message = messageOf(error);
  const misfit = misfitIn(message) ?? castFailure(message, options.columns);
  if (misfit) return new ColumnMisfit(misfit.column, misfit.value, { cause: error });
  if (/Maximum line size|max_line_size/i.test(message)) {
    return new ConnectorError(
      'SOURCE',
      `A row of ${options.what} is longer than ${options.lineBytesMax} bytes as text.`,
      {
        fix: 'Leave the long column out with selectedColumns.',
        cause: error,
      },
    );
  }
  return undefined;
}

const valueCharactersMax = 200;

/** A value that the reader's own cast refused. Columns are named c0, c1 … there. */
function castFailure(
  message: string,
  columns: readonly StreamColumn[],
): { column: string; value: string } | null {
  const found = /Error when converting column "c(\d+)"\. Could not convert string "(.*?)" to/s.exec(message);
  const column = found && columns[Number(found[1])];
  return column ? { column: column.name, value: found[2]!.slice(0, valueCharactersMax) } : null;
}
