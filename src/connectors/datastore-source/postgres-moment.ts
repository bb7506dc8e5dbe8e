import type { ConnectorContext } from '#connectors/contract.ts';
import { makeFifos } from '#connectors/fifo.ts';
import { openCopyPart } from '#connectors/postgres/read-part.ts';
import { readError } from '#connectors/postgres/read-error.ts';
import { needsFiller } from '#connectors/postgres/scan-sql.ts';
import { takeSnapshot } from '#connectors/postgres/snapshot.ts';
import { selectSql } from '#connectors/postgres/value-types.ts';
import type { PostgresWarehouse } from '#warehouse/postgres.ts';
import { rawSql, sql, toStatement, toText } from '#warehouse/sql.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { Moment, Rows } from './moment.ts';

/** What cannot say how long its rows are as text. */
const lineBytesMax = 64 * 1024 * 1024;

/** A snapshot of the server; rows leave it by COPY, through a FIFO. */
export async function openPostgresMoment(
  { server, dialect }: PostgresWarehouse,
  context: ConnectorContext,
): Promise<Moment> {
  const snapshot = await takeSnapshot(server, context.signal);
  const fifos = makeFifos(context.pipesDir);
  const copyOf = ({ columns, from, where }: Rows): string => {
    const values = columns.map(({ name, type }) => selectSql(quoteName(name), type));
    if (needsFiller(columns)) values.push('1');
    const rows = sql`SELECT ${rawSql(values.join(', '))} FROM ${from} AS r${where === null ? sql`` : sql` WHERE ${where}`}`;
    return `COPY (${toText(rows, dialect)}) TO STDOUT`;
  };
  return {
    async texts(question) {
      const { sql: text, binds = [] } = toStatement(question, dialect);
      try {
        const { rows } = await snapshot.client.query({ text, values: [...binds], rowMode: 'array' });
        return rows as (string | null)[][];
      } catch (error) {
        context.signal.throwIfAborted();
        throw readError('the datastore', error);
      }
    },
    part: (rows) => ({
      id: rows.id,
      title: rows.title,
      open: (signal) => {
        const { what, columns } = rows;
        return openCopyPart({ snapshot, copy: copyOf(rows), columns, lineBytesMax, what, fifos }, signal);
      },
    }),
    async [Symbol.asyncDispose]() {
      await snapshot[Symbol.asyncDispose]();
      await fifos[Symbol.asyncDispose]();
    },
  };
}
