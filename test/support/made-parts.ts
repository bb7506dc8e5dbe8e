import { columnTypeOf } from '#connectors/column-type.ts';
import { ConnectorError, type OpenPart, type StreamColumn } from '#connectors/contract.ts';

/** Columns by DuckDB's names of their types. */
export function columnsOf(types: Record<string, string>): StreamColumn[] {
  return Object.entries(types).map(([name, type]) => ({
    name,
    type: columnTypeOf(type),
    nullable: true,
    sourceType: type,
  }));
}

/** A part whose rows DuckDB makes itself; with `fails` its source breaks off at the end. */
export function partOf(scan: string, { fails }: { fails?: Error } = {}): OpenPart {
  const finished = fails ? Promise.reject(fails) : Promise.resolve();
  finished.catch(() => undefined);
  return {
    scan,
    finished,
    bytesRead: () => 7,
    explain: () => (fails instanceof ConnectorError ? fails : undefined),
    async [Symbol.asyncDispose]() {},
  };
}
