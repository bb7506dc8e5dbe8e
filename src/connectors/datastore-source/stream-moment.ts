import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { AppError, messageOf } from '#base/errors.ts';
import {
  ColumnMisfit,
  type ColumnType,
  type ConnectorContext,
  ConnectorError,
  type OpenPart,
} from '#connectors/contract.ts';
import { type Fifos, makeFifos } from '#connectors/fifo.ts';
import { misfitIn } from '#connectors/files/text-casts.ts';
import { needsFiller, scanSql } from '#connectors/postgres/scan-sql.ts';
import { joinSql, nameSql, sql, toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import type { Moment, Rows } from './moment.ts';
import type { SourceColumn } from './relations.ts';

/** A whole table is read within this. */
const deadlineMs = 6 * 3_600_000;
const lineBytesMax = 64 * 1024 * 1024;
/** What is written to the pipe at once. */
const chunkCharacters = 256 * 1024;

/**
 * Engines that give rows as their answers alone: each statement sees its own moment. Rows go as text into a FIFO, no faster
 * than the scan takes them.
 */
export function openStreamMoment(warehouse: Warehouse, context: ConnectorContext): Moment {
  const fifos = makeFifos(context.pipesDir);
  return {
    async texts(question) {
      const { rows } = await warehouse.run(toStatement(question, warehouse.dialect), {
        signal: context.signal,
        deadlineMs,
      });
      return rows.map((row) => row.map((value) => (value === null ? null : textOf(value))));
    },
    part: (rows) => ({
      id: rows.id,
      title: rows.title,
      open: (signal) => openStreamPart(warehouse, rows, fifos, signal),
    }),
    [Symbol.asyncDispose]: () => fifos[Symbol.asyncDispose](),
  };
}

async function openStreamPart(
  warehouse: Warehouse,
  rows: Rows,
  fifos: Fifos,
  signal: AbortSignal,
): Promise<OpenPart> {
  const fifo = await fifos.open();
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  let bytes = 0;
  let failure: unknown;
  const send = async () => {
    const sink = await fifo.writer;
    // Destroying is the end of the file for the scan, which would otherwise wait on.
    const cancel = () => sink.destroy();
    stopped.addEventListener('abort', cancel, { once: true });
    try {
      for await (const lines of linesOf(warehouse, rows, stopped)) {
        bytes += Buffer.byteLength(lines);
        if (!sink.write(lines)) await drained(sink, stopped);
      }
      sink.end();
      if (!sink.closed) await once(sink, 'close');
    } finally {
      stopped.removeEventListener('abort', cancel);
      sink.destroy();
    }
  };
  const finished = send().catch((error: unknown) => {
    signal.throwIfAborted();
    failure = readError(rows.what, error);
    throw failure;
  });
  finished.catch(() => undefined);
  return {
    scan: scanSql(fifo.path, rows.columns, lineBytesMax),
    finished,
    bytesRead: () => bytes,
    explain(error) {
      if (failure instanceof ConnectorError || failure instanceof ColumnMisfit) return failure;
      const misfit = misfitIn(messageOf(error));
      return misfit ? new ColumnMisfit(misfit.column, misfit.value, { cause: error }) : undefined;
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the part was closed'));
      await fifo[Symbol.asyncDispose]();
      await finished.catch(() => undefined);
    },
  };
}

async function drained(sink: Writable, signal: AbortSignal): Promise<void> {
  if (sink.destroyed) throw new Error('the scan stopped reading before the end');
  await Promise.race([
    once(sink, 'drain', { signal }),
    once(sink, 'close').then(() => Promise.reject(new Error('the scan stopped reading before the end'))),
  ]);
}

/** Rows as lines of PostgreSQL's text format, some thousand at once. */
async function* linesOf(warehouse: Warehouse, rows: Rows, signal: AbortSignal): AsyncGenerator<string> {
  const { columns, from, where } = rows;
  const values = joinSql(columns.map((column) => valueSql(warehouse, column)));
  const select = sql`SELECT ${values} FROM ${from} AS r${where === null ? sql`` : sql` WHERE ${where}`}`;
  const filler = needsFiller(columns) ? '\t1' : '';
  const write = columns.map(writerOf);
  let lines = '';
  for await (const piece of warehouse.stream(toStatement(select, warehouse.dialect), {
    signal,
    deadlineMs,
  })) {
    for (const row of piece.rows) {
      lines += `${row.map((value, at) => (value === null ? '\\N' : write[at]!(value))).join('\t')}${filler}\n`;
      if (lines.length < chunkCharacters) continue;
      yield lines;
      lines = '';
    }
  }
  if (lines !== '') yield lines;
}

function valueSql({ dialect }: Warehouse, { name, type, asTextBecause }: SourceColumn) {
  const value = nameSql(name);
  return type.kind === 'text' && asTextBecause !== undefined ? dialect.cast(value, 'text') : value;
}

type WriteValue = (value: unknown) => string;

/** Answers hold bytes as base64, and times with up to nine digits. */
function writerOf({ name, type }: SourceColumn): WriteValue {
  if (type.kind === 'bytes') return (value) => Buffer.from(String(value), 'base64').toString('hex');
  if (type.kind === 'int64') {
    // What does not fit 64 bits is no bigint in answers.
    return (value) => {
      if (typeof value === 'string') throw new ColumnMisfit(name, value);
      return String(value);
    };
  }
  if (isTime(type)) {
    return (value) => {
      const text = String(value);
      if (/\.\d{6}\d*[1-9]\d*Z?$/.test(text)) throw new ColumnMisfit(name, text);
      return text;
    };
  }
  return (value) => escapedText(textOf(value));
}

function isTime({ kind }: ColumnType): boolean {
  return kind === 'time' || kind === 'timestamp' || kind === 'timestamptz';
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value as bigint}`;
}

const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** As PostgreSQL's text format writes it. */
export function escapedText(text: string): string {
  return /[\\\n\r\t]/.test(text) ? text.replace(/[\\\n\r\t]/g, (sign) => escapes[sign]!) : text;
}

function readError(what: string, error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const passes = error.code === 'WAREHOUSE_UNAVAILABLE' || error.code === 'WAREHOUSE_TIMEOUT';
  return new ConnectorError(passes ? 'TRANSIENT' : 'SOURCE', `Reading ${what} failed: ${error.message}`, {
    ...(error.fix !== undefined && { fix: error.fix }),
    cause: error,
  });
}
