import type { ConnectorContext, Part } from '#connectors/contract.ts';
import { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { PostgresWarehouse } from '#warehouse/postgres.ts';
import type { Sql } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { openDuckDbMoment } from './duckdb-moment.ts';
import { openPostgresMoment } from './postgres-moment.ts';
import type { SourceColumn } from './relations.ts';
import { openStreamMoment } from './stream-moment.ts';

/** Rows to be read as one part. */
export interface Rows {
  /** Stable for the same rows. */
  id: string;
  title: string;
  /** For messages: "raw.orders". */
  what: string;
  /** What stands behind FROM, and which rows of it; null for all. Holds no binds but texts. */
  from: Sql;
  where: Sql | null;
  columns: readonly SourceColumn[];
}

/** One moment of a datastore, as far as its engine offers that: all that is asked and read sees the same rows. */
export interface Moment extends AsyncDisposable {
  /** Some values, as text. */
  texts(question: Sql): Promise<(string | null)[][]>;
  part(rows: Rows): Part;
}

/** Takes the moment. It lasts until disposed of. */
export async function openMoment(warehouse: Warehouse, context: ConnectorContext): Promise<Moment> {
  context.signal.throwIfAborted();
  if (warehouse instanceof DuckDbWarehouse) return openDuckDbMoment(warehouse, context);
  if (warehouse instanceof PostgresWarehouse) return openPostgresMoment(warehouse, context);
  return openStreamMoment(warehouse, context);
}
