import type { Db } from '#store/open-store.ts';
import { toStatement, type Sql } from '#warehouse/sql.ts';
import type { Answer, Statement } from '#warehouse/warehouse.ts';
import { oldestWrite } from './behind.ts';
import type { CatalogDeps } from './deps.ts';

/** Who asks the warehouse, for one request. */
export interface Asker {
  projectId: string;
  requestId: string;
  /** Aborts when nobody waits any more: the statement is then stopped, unless others wait for it too. */
  signal: AbortSignal;
}

/** A statement on a datastore of the project, and the tables that it reads. */
export interface WarehouseQuestion {
  datastore: { id: string; name: string };
  sql: Sql;
  /** Ids of the catalog: the answer is kept until one of them is written. */
  tableIds: readonly string[];
  rowsMax?: number;
}

/** Where an answer came from: kept, run for it, run for an equal question, or kept and being renewed. */
export type CacheStatus = 'HIT' | 'MISS' | 'SHARED' | 'STALE';

export interface WarehouseAnswer extends Answer {
  cache: CacheStatus;
  statement: Statement;
}

/** When the data behind an answer was last written, and by which task; both null when no task wrote it. */
export interface FreshnessOf {
  syncedAt: Date | null;
  taskId: string | null;
}

/** Answers a question. Fails with WAREHOUSE_UNAVAILABLE, WAREHOUSE_TIMEOUT, or BAD_USER_INPUT for SQL the engine refuses. */
export async function askWarehouse(
  deps: CatalogDeps,
  asker: Asker,
  question: WarehouseQuestion,
): Promise<WarehouseAnswer> {
  const { warehouse } = await deps.datastores.open(asker.projectId, question.datastore.name);
  const statement = toStatement(question.sql, warehouse.dialect);
  const answer = await warehouse.run(statement, {
    signal: asker.signal,
    tag: asker.requestId,
    ...(question.rowsMax !== undefined && { rowsMax: question.rowsMax }),
  });
  return { ...answer, cache: 'MISS', statement };
}

/**
 * The freshness of what was made from these tables: that of the table which was written longest ago, null as soon as one was
 * never written by a task. A view is as fresh as what its transformation reads.
 */
export function freshnessOf(db: Db, projectId: string, tableIds: readonly string[]): Promise<FreshnessOf> {
  return oldestWrite(db, projectId, tableIds);
}

/** The statement as people read it: its text, and below it the values of its binds. */
export function shownSql({ sql, binds = [] }: Statement): string {
  if (binds.length === 0) return sql;
  const shown = binds.map((bind) =>
    JSON.stringify(bind, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  );
  return `${sql}\n-- binds: ${shown.join(', ')}`;
}
