import { AppError } from '#base/errors.ts';
import { tablesBehind } from '#catalog/behind.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { metricTables } from './metric-tables.ts';
import type { SignalDeps } from './signal-deps.ts';

const signalsMax = 500;

interface StaleSignal {
  id: string;
  projectId: string;
  metric: string;
}

/**
 * Finds anew which tables stand behind each signal whose tables were never found, whose project changed a metric or a
 * mapping since, or one of whose tables a transformation has made since: a task that writes one of them makes the signal due.
 */
export async function refreshSignalTables(deps: SignalDeps): Promise<void> {
  const { db } = deps.store;
  const stale = await db.$queryRaw<StaleSignal[]>`
    WITH changed AS (
      SELECT project_id, max(updated_at) AS at FROM (
        SELECT project_id, updated_at FROM metric UNION ALL SELECT project_id, updated_at FROM entity_mapping
      ) c GROUP BY project_id
    )
    SELECT s.id::text AS id, s.project_id::text AS "projectId", m.name AS metric
    FROM signal s JOIN metric m ON m.id = s.metric_id LEFT JOIN changed c ON c.project_id = s.project_id
    WHERE s.deleted_at IS NULL AND (s.tables_at IS NULL OR c.at > s.tables_at OR EXISTS (
      SELECT 1 FROM signal_table st JOIN table_feed f ON f.table_id = st.table_id
      WHERE st.signal_id = s.id AND f.transformation_id IS NOT NULL AND f.written_at > s.tables_at
    ))
    ORDER BY s.tables_at NULLS FIRST LIMIT ${signalsMax}`;
  for (const signal of stale) await findTables(deps, signal);
}

/**
 * Finds which tables stand behind a signal. A metric that cannot be answered any more keeps the tables that it had: it may be
 * answered again once one is written.
 */
export async function findTables(
  deps: SignalDeps,
  { id, projectId, metric }: { id: string; projectId: string; metric: string },
): Promise<void> {
  const lookedAt = deps.now();
  let tableIds: readonly string[] | null = null;
  try {
    tableIds = await tablesBehind(deps.store.db, projectId, await metricTables(deps, projectId, metric));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
  await deps.store.db.$transaction(async (tx) => {
    // Two processes that look at once write one after the other.
    await tx.$queryRaw`SELECT 1 FROM signal WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
    if (tableIds !== null) {
      await tx.signalTable.deleteMany({ where: { signalId: id, tableId: { notIn: [...tableIds] } } });
      const data = tableIds.map((tableId) => ({ signalId: id, tableId }));
      await tx.signalTable.createMany({ data, skipDuplicates: true });
    }
    await tx.signal.update({ where: { id }, data: { tablesAt: lookedAt } });
  });
}

/** A write of a table that an evaluation sees: that of a task which has ended, for others go on. */
export interface SeenWrite {
  tableId: string;
  syncedAt: Date;
}

/** The last writes of the tables behind a signal, by tasks that have ended: what is asked from now on is made of them. */
export function seenWrites(db: Db, signalId: string): Promise<SeenWrite[]> {
  return db.$queryRaw<SeenWrite[]>`
    SELECT c.id::text AS "tableId", c.synced_at AS "syncedAt"
    FROM signal_table st JOIN catalog_table c ON c.id = st.table_id LEFT JOIN task t ON t.id = c.task_id
    WHERE st.signal_id = ${signalId}::uuid AND c.synced_at IS NOT NULL
      AND (t.id IS NULL OR t.status NOT IN ('QUEUED', 'RUNNING', 'CANCELING'))`;
}

/** Keeps that these writes were seen, so that only later ones make the signal due. */
export async function keepSeen(tx: Tx, signalId: string, writes: readonly SeenWrite[]): Promise<void> {
  for (const { tableId, syncedAt } of writes) {
    await tx.signalTable.updateMany({ where: { signalId, tableId }, data: { seenAt: syncedAt } });
  }
}
