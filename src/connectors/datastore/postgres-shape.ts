import { typeName } from '#connectors/column-type.ts';
import { ConnectorError, type StreamColumn, type StreamSelection } from '#connectors/contract.ts';
import { columnKey, evolveColumns } from '#connectors/evolve-columns.ts';
import { type DescribedRelation, describeRelations } from '#connectors/postgres/describe-tables.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { postgresColumns, postgresType } from './postgres-types.ts';
import { refuseKeyless, refuseRemovals, tableSql } from './publish.ts';

type Name = { schema: string; name: string };

/** What a publish makes of the table. */
export interface Shape {
  /** The table as it is; null when there is none. */
  existing: DescribedRelation | null;
  /** What arrives, as the scan gives it, and the boolean among it that marks removed rows. */
  arriving: readonly StreamColumn[];
  removed: string | null;
  /** The table's from this publish on, each with the type that it is declared with. */
  columns: readonly (StreamColumn & { declared: string })[];
  changes: string[];
  warnings: string[];
}

/** In the staging table of an UPSERT: which of two rows came later. */
export const orderColumn = '_sluice_order';

const nameBytesMax = 63;

/** Looks at the table and plans its new columns. Fails with SCHEMA, touching nothing, when it cannot take what arrives. */
export async function planShape(
  session: PostgresSession,
  table: Name,
  arriving: readonly StreamColumn[],
  selection: StreamSelection,
): Promise<Shape> {
  const existing = await describeTarget(session, table, selection);
  const removed = arriving.find((column) => column.marksRemoved)?.name ?? null;
  const kept = postgresColumns(arriving.filter((column) => !column.marksRemoved));
  const { columns, changes } = evolveColumns(existing?.columns ?? null, kept, selection.name);
  refuseKeyless(selection, columns);
  refuseRemovals(selection, arriving);
  refuseLongNames([table.name, ...kept.map(({ name }) => name)]);
  const held = heldBy(existing);
  const warnings = kept
    .filter(({ asTextBecause, type }) => asTextBecause !== undefined && type.kind === 'json')
    .map(({ name, asTextBecause }) => `The column "${name}" is written as JSON: ${asTextBecause}.`);
  const declared = columns.map((column) => {
    const was = held.get(columnKey(column.name));
    const stays = was && typeName(was.type) === typeName(column.type);
    return { ...column, declared: stays ? was.sourceType : postgresType(column.type) };
  });
  return { existing, arriving, removed, columns: declared, changes, warnings };
}

function heldBy(existing: DescribedRelation | null): Map<string, StreamColumn> {
  return new Map(existing?.columns.map((column) => [columnKey(column.name), column]));
}

const kinds: Record<string, string> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  p: 'a partitioned table',
};

async function describeTarget(
  session: PostgresSession,
  { schema, name }: Name,
  { writeMode }: StreamSelection,
): Promise<DescribedRelation | null> {
  const [found] = await describeRelations(session.client, [schema], name);
  if (!found) return null;
  if (found.kind === 'r' || (found.kind === 'p' && writeMode !== 'OVERWRITE')) return found;
  throw new ConnectorError(
    'SCHEMA',
    `"${schema}.${name}" is ${kinds[found.kind] ?? 'no table'}: ${writeMode} cannot write it.`,
    { fix: 'Give the stream another destinationTable, or drop what is there.' },
  );
}

/** PostgreSQL would cut them, and take two for one. */
function refuseLongNames(names: readonly string[]): void {
  const long = names.find((name) => Buffer.byteLength(name) > nameBytesMax);
  if (long === undefined) return;
  throw new ConnectorError(
    'SCHEMA',
    `The name "${long}" has more than the ${nameBytesMax} bytes that PostgreSQL keeps of one.`,
    {
      fix: 'Take a shorter destinationTable, rename the column in the source, or leave it out with selectedColumns.',
    },
  );
}

/** Whether the staged rows are to be the table themselves, rather than to be put into it. */
export function replaces({ existing }: Shape, { writeMode }: StreamSelection): boolean {
  return existing === null || writeMode === 'OVERWRITE';
}

/** The columns of the table that rows arrive for, by its names for them. */
export function filledColumns({ arriving, columns }: Shape): Shape['columns'] {
  const keys = new Set(arriving.map(({ name }) => columnKey(name)));
  return columns.filter(({ name }) => keys.has(columnKey(name)));
}

/** The staging table's statements: a table like the target where it takes its place, else what arrives alone. */
export function stagingSql(shape: Shape, selection: StreamSelection, target: Name, staging: Name): string[] {
  const { existing, removed } = shape;
  const extra =
    selection.writeMode === 'UPSERT'
      ? [
          ...(removed === null ? [] : [`${quoteName(removed)} boolean`]),
          `${orderColumn} bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000)`,
        ]
      : [];
  if (existing && replaces(shape, selection)) {
    const like = `LIKE ${tableSql(target)} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS`;
    return [`CREATE TABLE ${tableSql(staging)} (${like})`, ...reshapeSql(shape, staging)];
  }
  const columns = existing ? filledColumns(shape) : shape.columns;
  const declared = columns.map(({ name, declared: type }) => `${quoteName(name)} ${type}`);
  return [`CREATE TABLE ${tableSql(staging)} (${[...declared, ...extra].join(', ')})`];
}

/** Brings a table with the existing columns to the new ones: new columns, wider types, NULL where it may come. */
export function reshapeSql({ existing, columns }: Shape, table: Name): string[] {
  if (!existing) return [];
  const held = heldBy(existing);
  const alters = columns.flatMap(({ name, declared, nullable }) => {
    const was = held.get(columnKey(name));
    const column = quoteName(name);
    if (!was) return `ADD COLUMN ${column} ${declared}`;
    const isFreed = nullable && !was.nullable && !existing.primaryKey.includes(name);
    const isSame = declared === was.sourceType;
    return [
      ...(isSame ? [] : [`ALTER COLUMN ${column} TYPE ${declared} USING ${column}::${declared}`]),
      ...(isFreed ? [`ALTER COLUMN ${column} DROP NOT NULL`] : []),
    ];
  });
  return alters.length === 0 ? [] : [`ALTER TABLE ${tableSql(table)} ${alters.join(', ')}`];
}

/** Equal for plans whose staged rows fit one staging table. */
export function shapeText({ columns, arriving, existing }: Shape, { writeMode }: StreamSelection): string {
  return JSON.stringify([
    writeMode,
    existing !== null,
    columns.map(({ name, declared }) => [name, declared]),
    arriving.map(({ name, type }) => [name, typeName(type)]),
  ]);
}
