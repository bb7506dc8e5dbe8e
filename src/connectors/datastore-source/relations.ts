import { AppError } from '#base/errors.ts';
import {
  type ConnectorContext,
  ConnectorError,
  type StreamColumn,
  type StreamInfo,
  type StreamSelection,
} from '#connectors/contract.ts';
import { mayBeCursor } from '#connectors/postgres/describe-tables.ts';
import { nameSql, rawSql, type Sql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { DescribedTable, TableName, Warehouse } from '#warehouse/warehouse.ts';
import { exactType } from './exact-types.ts';
import { primaryKeys } from './primary-keys.ts';
import type { DatastoreSourceConfig, DeclaredStream } from './spec.ts';

export interface SourceColumn extends StreamColumn {
  /** As casts of the engine write it. */
  dataType: string;
}

/** What a stream reads: a table, a view or a SELECT. */
export interface Relation {
  /** For messages: "raw.orders", "the SELECT active_users". */
  what: string;
  namespace: string | null;
  name: string;
  /** What stands behind FROM, without an alias. */
  from: Sql;
  columns: SourceColumn[];
  primaryKey: string[];
  /** The engine itself sees to it that no two rows have one key. */
  hasEnforcedKey: boolean;
  table: TableName | null;
  /** Reading it twice in one statement gives the same rows twice, and takes little beside what is done with them. */
  isQuickTwice: boolean;
  rowCount: bigint | null;
}

const lookMs = 20_000;

/** All that the source offers: tables and views by schema and name, then the SELECTs. Fails with CONFIG for a SELECT that the engine refuses. */
export async function listRelations(
  warehouse: Warehouse,
  config: DatastoreSourceConfig,
  { signal }: Pick<ConnectorContext, 'signal'>,
): Promise<Relation[]> {
  const declared = config.streams ?? [];
  const selects = await Promise.all(declared.map((each, at) => ofSelect(warehouse, each, at, signal)));
  const all = await warehouse.tables(undefined, { signal, deadlineMs: lookMs });
  const keys = await primaryKeys(warehouse, signal);
  const tables = all
    .filter(({ schema }) => config.schemas === undefined || config.schemas.includes(schema))
    .filter(({ columns }) => columns.length > 0)
    .map((table) => ofTable(warehouse, table, keys(table)));
  return [...tables, ...selects];
}

/** What a stream reads now. Fails with SCHEMA when it is not there any more. */
export async function findRelation(
  warehouse: Warehouse,
  config: DatastoreSourceConfig,
  { namespace, name }: StreamSelection,
  signal: AbortSignal,
): Promise<Relation> {
  const declared = config.streams ?? [];
  if (namespace === null) {
    const at = declared.findIndex((each) => each.name === name);
    if (at >= 0) return ofSelect(warehouse, declared[at]!, at, signal);
    throw gone(`SELECT "${name}" in the source's config`);
  }
  const table = await findTable(warehouse, { schema: namespace, name }, signal);
  if (!table) throw gone(`table or view ${namespace}.${name}`);
  return ofTable(warehouse, table, (await primaryKeys(warehouse, signal))(table));
}

async function findTable(
  warehouse: Warehouse,
  { schema, name }: { schema: string; name: string },
  signal: AbortSignal,
): Promise<DescribedTable | undefined> {
  const options = { signal, deadlineMs: lookMs };
  const { sql: select } = toStatement(sql`SELECT * FROM ${nameSql(schema, name)}`, warehouse.dialect);
  try {
    const { reads } = await warehouse.describe(select, options);
    const own = reads.filter((each) => each.schema === schema && each.name === name);
    return (await warehouse.tables(own, options))[0];
  } catch (error) {
    if (error instanceof AppError && error.code === 'BAD_USER_INPUT') return undefined;
    throw error;
  }
}

function gone(what: string): ConnectorError {
  return new ConnectorError('SCHEMA', `There is no ${what} any more.`, {
    fix: 'Discover the streams of the source again and change the job.',
  });
}

function ofTable(warehouse: Warehouse, table: DescribedTable, primaryKey: string[]): Relation {
  const { database, schema, name } = table;
  return {
    what: `${schema}.${name}`,
    namespace: schema,
    name,
    from: tableSql(table),
    columns: table.columns.map((column) =>
      columnOf(warehouse, column.name, column.dataType, column.nullable),
    ),
    primaryKey,
    hasEnforcedKey: primaryKey.length > 0,
    table: { database, schema, name },
    isQuickTwice: warehouse.engine === 'DUCKDB' && table.kind === 'TABLE',
    rowCount: table.rowCount,
  };
}

async function ofSelect(
  warehouse: Warehouse,
  { name, sql: text, primaryKey = [] }: DeclaredStream,
  at: number,
  signal: AbortSignal,
): Promise<Relation> {
  const select = text.replace(/[\s;]+$/, '');
  try {
    const { columns } = await warehouse.describe(select, { signal, deadlineMs: lookMs });
    const names = columns.map((column) => column.name);
    const missing = primaryKey.filter((column) => !names.includes(column));
    const twin = names.find((each, place) => names.indexOf(each) < place);
    if (missing.length > 0 || twin !== undefined) {
      const said =
        twin === undefined
          ? `has no column ${missing.map((each) => `"${each}"`).join(', ')} of its primaryKey`
          : `has two columns named "${twin}"`;
      throw new ConnectorError('CONFIG', `The SELECT "${name}" ${said}.`, {
        fix: `Its columns are: ${names.join(', ')}.`,
        path: ['streams', String(at), twin === undefined ? 'primaryKey' : 'sql'],
      });
    }
    return {
      what: `the SELECT "${name}"`,
      namespace: null,
      name,
      // A comment at its end would hide the parenthesis.
      from: sql`(${rawSql(select)}\n)`,
      columns: columns.map((column) => columnOf(warehouse, column.name, column.dataType, true)),
      primaryKey,
      hasEnforcedKey: false,
      table: null,
      isQuickTwice: false,
      rowCount: null,
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError) || error.code !== 'BAD_USER_INPUT') throw error;
    throw new ConnectorError('CONFIG', `The SELECT "${name}" cannot be read: ${error.message}`, {
      ...(error.fix !== undefined && { fix: error.fix }),
      path: ['streams', String(at), 'sql'],
      cause: error,
    });
  }
}

function columnOf({ engine }: Warehouse, name: string, dataType: string, nullable: boolean): SourceColumn {
  return { name, nullable, sourceType: dataType, dataType, ...exactType(engine, dataType) };
}

/** The tables and views that a relation shows, those behind views included. */
export async function readsOf(
  warehouse: Warehouse,
  relation: Relation,
  signal: AbortSignal,
): Promise<TableName[]> {
  const select = toStatement(sql`SELECT * FROM ${relation.from} AS ${rawSql('r')}`, warehouse.dialect);
  const { reads } = await warehouse.describe(select.sql, { signal, deadlineMs: lookMs });
  const { table } = relation;
  return table && !reads.some(({ schema, name }) => schema === table.schema && name === table.name)
    ? [table, ...reads]
    : reads;
}

/** The stream that a relation offers. */
export function streamOf(relation: Relation): StreamInfo {
  return {
    namespace: relation.namespace,
    name: relation.name,
    columns: relation.columns.map(({ dataType: _, ...column }) => column),
    syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
    primaryKey: relation.primaryKey,
    cursorFields: relation.columns.filter(mayBeCursor).map(({ name }) => name),
    estimatedRows: relation.rowCount,
    comparable: true,
  };
}
