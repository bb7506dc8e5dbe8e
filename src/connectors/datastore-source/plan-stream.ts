import { randomUUID } from 'node:crypto';
import {
  type ConnectorContext,
  type PlanFrom,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import { cursorOf } from '#connectors/postgres/cursor.ts';
import { planStream as planPostgres } from '#connectors/postgres/plan-stream.ts';
import { PostgresWarehouse } from '#warehouse/postgres.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { newCursor } from './cursor.ts';
import { planDifference } from './plan-difference.ts';
import { openMoment } from './moment.ts';
import { planSeries } from './plan-series.ts';
import { findRelation, type Relation, type SourceColumn } from './relations.ts';
import { selectColumns } from './select-columns.ts';
import { declaredSeries, openSeriesStream } from './series.ts';
import type { DatastoreSourceConfig } from './spec.ts';

/**
 * Plans the read of one stream at one moment, as far as the engine offers that. Fails with SCHEMA when the stream or a
 * selected column is gone, and with CONFIG for a SELECT that the engine refuses.
 */
export async function planStream(
  warehouse: Warehouse,
  config: DatastoreSourceConfig,
  { selection, from, context }: { selection: StreamSelection; from: PlanFrom; context: ConnectorContext },
): Promise<StreamPlan> {
  context.signal.throwIfAborted();
  const declared = declaredSeries(config, selection);
  if (declared) {
    const series = await openSeriesStream(config, declared, context);
    return planSeries(series, { selection, from, context });
  }
  const relation = await findRelation(warehouse, config, selection, context.signal);
  const columns = selectColumns(relation, selection, from.asText);
  const asked = { relation, columns, selection, from };
  if (selection.difference)
    return planDifference(warehouse, { ...asked, difference: selection.difference }, context);
  // In several parts at once, and by keys where it can.
  if (warehouse instanceof PostgresWarehouse && relation.table) {
    return planPostgres(warehouse.server, selection, from, context);
  }
  return planRows(warehouse, asked, context);
}

export interface Asked {
  relation: Relation;
  /** The selected ones, as they travel. */
  columns: SourceColumn[];
  selection: StreamSelection;
  from: PlanFrom;
}

async function planRows(
  warehouse: Warehouse,
  { relation, columns, selection, from }: Asked,
  context: ConnectorContext,
): Promise<StreamPlan> {
  const moment = await openMoment(warehouse, context);
  try {
    const before = cursorOf(from.state).cursor;
    const cursor =
      selection.syncMode === 'INCREMENTAL'
        ? await newCursor(moment, warehouse, { relation, selection, before })
        : null;
    if (cursor?.warning) context.log('WARN', cursor.warning);
    const rows = { what: relation.what, from: relation.from, where: cursor?.where ?? null, columns };
    return {
      columns: columns.map(({ dataType: _, ...column }) => column),
      parts: [
        moment.part({ ...rows, id: `${randomUUID()}:all`, title: cursor?.where ? 'new rows' : 'all rows' }),
      ],
      estimatedRows: cursor?.where ? null : relation.rowCount,
      // Another moment has other rows.
      resume: null,
      nextState: cursor ? { cursor: cursor.upper } : null,
      ties: cursor && before !== null ? { column: selection.cursorField!, value: before } : null,
      [Symbol.asyncDispose]: () => moment[Symbol.asyncDispose](),
    };
  } catch (error) {
    await moment[Symbol.asyncDispose]();
    throw error;
  }
}
