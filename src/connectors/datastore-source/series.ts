import { AppError } from '#base/errors.ts';
import {
  type ConnectorContext,
  ConnectorError,
  type Json,
  type Series,
  type StreamInfo,
  type StreamSelection,
} from '#connectors/contract.ts';
import { sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { TableName, Warehouse } from '#warehouse/warehouse.ts';
import type { SourceColumn } from './relations.ts';
import type { DatastoreSourceConfig, DeclaredSeries } from './spec.ts';

/** The column of the start of a period. */
export const periodColumn = 'period_start';
const nullDefault = '(none)';
const lookMs = 20_000;

/** A declared series, checked, with its columns. */
export interface SeriesStream {
  /** For messages: 'the series "daily"'. */
  what: string;
  series: Series;
  columns: SourceColumn[];
  /** Of its rows: the period, and the dimensions. */
  primaryKey: string[];
  /** What stands for a dimension without a value. */
  nullAs: string;
}

/**
 * The series as a stream; nothing of it is asked yet. Fails with CONFIG for what metrics refuse, for metrics of another
 * datastore, and for columns of one name.
 */
export async function openSeriesStream(
  config: DatastoreSourceConfig,
  declared: DeclaredSeries,
  context: ConnectorContext,
): Promise<SeriesStream> {
  const { name, nullAs = nullDefault, ...question } = declared;
  const what = `the series "${name}"`;
  const refuse = (message: string, fix: string, field: string[] = [], cause?: unknown) =>
    new ConnectorError('CONFIG', message, {
      fix,
      path: ['series', String((config.series ?? []).indexOf(declared)), ...field],
      cause,
    });
  if (question.from !== undefined && question.periods !== undefined) {
    const message = `The series "${name}" has both "from" and "periods".`;
    throw refuse(message, 'Leave one of them out.', ['periods']);
  }
  const columns = columnsOf(declared);
  const keys = columns.map((column) => column.name.toLowerCase());
  const twin = columns.find((_, at) => keys.indexOf(keys[at]!) < at);
  if (twin) {
    const message = `Two columns of the series "${name}" would be named "${twin.name}".`;
    throw refuse(message, 'Leave one of its dimensions or metrics out, or give the metric another name.');
  }
  if (!context.series)
    throw refuse(`Metrics cannot be asked here, so that there is no ${what}.`, 'Leave it out.');
  try {
    const series = await context.series(question);
    const own = (await context.datastore(config.datastore)).name;
    if (series.datastore === own) {
      const primaryKey = columns.slice(0, 1 + (question.by ?? []).length).map((column) => column.name);
      return { what, series, columns, primaryKey, nullAs };
    }
    const message = `The metrics of the series "${name}" are measured in the datastore "${series.datastore}", not in "${own}".`;
    throw refuse(message, `Declare it in a source of the datastore "${series.datastore}".`, ['metrics']);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof AppError) || error.code !== 'BAD_USER_INPUT') throw error;
    const message = `The series "${name}" cannot be asked: ${error.message}`;
    throw refuse(message, error.fix ?? 'Change the series.', [], error);
  }
}

/** The period, then the dimensions, then the metrics, by names that tables can have. */
function columnsOf({ by = [], metrics }: DeclaredSeries): SourceColumn[] {
  const column = (
    name: string,
    kind: 'timestamptz' | 'text' | 'float64',
    nullable: boolean,
  ): SourceColumn => ({
    name: name.replaceAll(/[^\p{L}\p{N}_]+/gu, '_'),
    type: { kind },
    nullable,
    sourceType: kind,
    dataType: kind,
  });
  return [
    column(periodColumn, 'timestamptz', false),
    ...by.map((path) => column(path, 'text', false)),
    ...metrics.map((name) => column(name, 'float64', true)),
  ];
}

/** The series that a stream without a namespace stands for, unless it is a SELECT. */
export function declaredSeries(
  { series = [] }: DatastoreSourceConfig,
  { namespace, name }: Pick<StreamSelection, 'namespace' | 'name'>,
): DeclaredSeries | undefined {
  return namespace === null ? series.find((each) => each.name === name) : undefined;
}

/** All series of the config, as streams. */
export async function listSeries(
  config: DatastoreSourceConfig,
  context: ConnectorContext,
): Promise<StreamInfo[]> {
  const opening = (config.series ?? []).map(async (declared) =>
    streamOfSeries(declared.name, await openSeriesStream(config, declared, context)),
  );
  return Promise.all(opening);
}

/** What the stream offers. Later points are of later periods, so that the period may be a cursor. */
function streamOfSeries(name: string, { columns, primaryKey }: SeriesStream): StreamInfo {
  return {
    namespace: null,
    name,
    columns: columns.map(({ dataType: _, ...column }) => column),
    syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
    primaryKey,
    cursorFields: [periodColumn],
    estimatedRows: null,
    comparable: true,
  };
}

/** The tables and views that a series reads, those behind views included. */
export async function readsOfSeries(
  warehouse: Warehouse,
  { series: { tables } }: SeriesStream,
  signal: AbortSignal,
): Promise<TableName[]> {
  const all = await Promise.all(
    tables.map(async (table) => {
      const select = toStatement(sql`SELECT * FROM ${tableSql(table)}`, warehouse.dialect);
      const { reads } = await warehouse.describe(select.sql, { signal, deadlineMs: lookMs });
      return [table, ...reads];
    }),
  );
  const byName = all
    .flat()
    .map((table) => [JSON.stringify([table.database, table.schema, table.name]), table] as const);
  return [...new Map(byName).values()];
}

/** The texts of a point's dimensions. */
export function dimensionText(value: Json, nullAs: string): string {
  if (value === null) return nullAs;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
