import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import { duckDbType } from '#connectors/column-type.ts';
import { type ConnectorContext, ConnectorError, type OpenPart } from '#connectors/contract.ts';
import { sqlText } from '#connectors/files/text-casts.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { rawSql, sql, toText, toStatement } from '#warehouse/sql.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { Moment, Rows } from './moment.ts';
import type { SourceColumn } from './relations.ts';

/**
 * A transaction that lasts as long as the plan. Rows leave the file's one process as Parquet, which keeps their types and
 * which another instance can scan: 5 million rows of ten columns in a third of the time that writing them as text takes.
 */
export async function openDuckDbMoment(
  warehouse: DuckDbWarehouse,
  { pipesDir, signal }: ConnectorContext,
): Promise<Moment> {
  const session = await warehouse.session();
  const paths: string[] = [];
  const remove = async () => {
    await session[Symbol.asyncDispose]();
    await Promise.all(paths.map((path) => rm(path, { force: true })));
  };
  try {
    await session.run('BEGIN TRANSACTION');
    return {
      async texts(question) {
        const { sql: text, binds } = toStatement(question, warehouse.dialect);
        return (await session.interruptible(signal, () => session.rows(text, binds))) as (string | null)[][];
      },
      part(rows) {
        const path = join(pipesDir, `rows-${randomUUID()}.parquet`);
        paths.push(path);
        let exporting: Promise<void> | undefined;
        return {
          id: rows.id,
          title: rows.title,
          async open(stop) {
            exporting ??= exportRows(warehouse, session, { rows, path, signal: stop });
            await exporting;
            return openFile(path, rows.columns);
          },
        };
      },
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Writes the rows into a Parquet file, which openFile reads. */
export function copySql(
  { dialect }: DuckDbWarehouse,
  { columns, from, where }: Pick<Rows, 'columns' | 'from' | 'where'>,
  path: string,
): string {
  const values = columns.map((column) => `${exported(column)} AS ${quoteName(column.name)}`);
  const which = where === null ? sql`` : sql` WHERE ${where}`;
  const select = toText(sql`SELECT ${rawSql(values.join(', '))} FROM ${from} AS r${which}`, dialect);
  return `COPY (${select}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION snappy)`;
}

async function exportRows(
  warehouse: DuckDbWarehouse,
  session: DuckDbSession,
  { rows, path, signal }: { rows: Rows; path: string; signal: AbortSignal },
): Promise<void> {
  try {
    await session.interruptible(signal, () => session.run(copySql(warehouse, rows, path)));
  } catch (error) {
    signal.throwIfAborted();
    throw readError(rows.what, error);
  }
}

export async function openFile(path: string, columns: Rows['columns']): Promise<OpenPart> {
  const { size } = await stat(path);
  const values = columns.map(({ name, type }) => {
    const quoted = quoteName(name);
    return `CAST(${quoted} AS ${duckDbType(type)}) AS ${quoted}`;
  });
  return {
    scan: `SELECT ${values.join(', ')} FROM read_parquet(${sqlText(path)})`,
    finished: Promise.resolve(),
    bytesRead: () => size,
    explain: () => undefined,
    // Opened again it is read again: it goes with the moment.
    async [Symbol.asyncDispose]() {},
  };
}

/** Parquet has no microseconds in its intervals, and no type for what travels as text or JSON. */
function exported({ name, type, dataType }: SourceColumn): string {
  const quoted = quoteName(name);
  if (type.kind === 'interval') return `CAST(${quoted} AS VARCHAR)`;
  if (type.kind === 'json') {
    return dataType.toUpperCase() === 'JSON'
      ? `CAST(${quoted} AS VARCHAR)`
      : `CAST(to_json(${quoted}) AS VARCHAR)`;
  }
  return `CAST(${quoted} AS ${duckDbType(type)})`;
}

function readError(what: string, error: unknown): ConnectorError {
  const message = messageOf(error).split('\n')[0]!;
  if (/No space left|Out of Memory/i.test(message)) {
    return new ConnectorError('TRANSIENT', `There was no room to read ${what}: ${message}`, {
      fix: 'Free disk space or memory of the machine.',
      cause: error,
    });
  }
  return new ConnectorError('SOURCE', `The datastore could not read ${what}: ${message}`, {
    fix: 'Run a SELECT on it in the datastore to see the error whole.',
    cause: error,
  });
}
