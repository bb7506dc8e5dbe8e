import { jsonBytes } from './json-bytes.ts';
import { PostgresMessages } from './postgres-messages.ts';
import type { PostgresConnection } from './postgres-pool.ts';
import { type PostgresField, PostgresStatement } from './postgres-statement.ts';
import type { Answer, Statement } from './warehouse.ts';

/** How a statement ended. */
export interface Ending {
  /** The server goes on sending rows that nobody takes. */
  isCut: boolean;
  /** Nothing of it is left on its connection. */
  isClean: boolean;
}

/** Statements without rows that are sent in one piece. */
export function commands(texts: readonly string[]): { bytes: Buffer; count: number } {
  const messages = new PostgresMessages();
  for (const text of texts) messages.command(text);
  return { bytes: messages.take(), count: texts.length };
}

/** All rows within the bounds. The first beyond them cuts the statement. */
export async function readAll(
  { client }: PostgresConnection,
  statement: Statement,
  {
    rowsMax,
    bytesMax,
    ...options
  }: {
    rowsMax: number;
    bytesMax: number;
    before: { bytes: Buffer; count: number };
    after: Buffer;
    textOid: number;
  },
  ending: Ending,
): Promise<Omit<Answer, 'columns'> & { fields: PostgresField[] }> {
  const rows: unknown[][] = [];
  const cut = Promise.withResolvers<void>();
  let bytes = 2;
  const takes = (row: unknown[]) => {
    if (ending.isCut) return;
    const rowBytes = row.reduce((sum: number, value) => sum + jsonBytes(value), 2);
    if (rows.length === rowsMax || (bytes + rowBytes > bytesMax && rows.length > 0)) {
      ending.isCut = true;
      cut.resolve();
      return;
    }
    rows.push(row);
    bytes += rowBytes;
  };
  const running = client.query(new PostgresStatement(statement, { ...options, takes }));
  await Promise.race([running.piece(), cut.promise]);
  if (!ending.isCut) {
    ending.isClean = await running.end().then(
      () => true,
      () => false,
    );
  }
  return { fields: running.fields, rows, truncated: ending.isCut, bytes };
}
