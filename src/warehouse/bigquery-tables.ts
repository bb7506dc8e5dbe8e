import { bigQueryDialect } from './bigquery-dialect.ts';
import { BigQueryError } from './bigquery-errors.ts';
import type { Desk } from './bigquery-query.ts';
import { type Field, typeName } from './bigquery-values.ts';
import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { Slots } from './slots.ts';
import { nameSql, rawSql, sql, toStatement } from './sql.ts';
import type { DescribedColumn, DescribedSchema, DescribedTable, TableName } from './warehouse.ts';

/** A table or view as BigQuery tells of it. */
export interface TableResource {
  tableReference: { projectId: string; datasetId: string; tableId: string };
  type: string;
  schema?: { fields?: Field[] };
  numRows?: string;
  description?: string;
  /** Milliseconds since 1970. */
  creationTime?: string;
  view?: { query: string };
  materializedView?: { query: string };
}

interface Dataset {
  datasetReference: { datasetId: string };
  location?: string;
}

/** So much is asked at once of what is asked of many. */
const requestsMax = 16;

/** Every table and view of the project that the service account can see, or those of `only` among them. */
export async function describeTables(desk: Desk, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const { projectId } = desk.rest.login;
  if (only === undefined) {
    const all = await forEach(await datasetsOf(desk), (dataset) => describeDataset(desk, dataset));
    return all.flat();
  }
  const wanted = only.filter(
    ({ database, schema, name }) =>
      database === projectId && schema !== stagingSchema && !name.startsWith(stagingPrefix),
  );
  const once = new Map(wanted.map((table) => [JSON.stringify([table.schema, table.name]), table]));
  const found = await forEach([...once.values()], (table) => findTable(desk, table));
  return found
    .filter((table) => table !== null)
    .map(describedOf)
    .sort((one, other) => compare(one.schema, other.schema) || compare(one.name, other.name));
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** Every dataset of the project that the service account can see, with how much lies in it. */
export async function describeSchemas(desk: Desk): Promise<DescribedSchema[]> {
  const { projectId: database } = desk.rest.login;
  return forEach(await datasetsOf(desk), async (schema) => {
    const names = await tableNames(desk, schema);
    const shown = names.filter((name) => !name.startsWith(stagingPrefix));
    return { database, schema, tables: shown.length };
  });
}

/** What lies under a name; null for nothing, or nothing that the service account may see. */
export async function findTable(desk: Desk, table: TableName): Promise<TableResource | null> {
  const { database, schema, name } = table;
  if (database !== desk.rest.login.projectId) return null;
  const path = `/datasets/${encodeURIComponent(schema)}/tables/${encodeURIComponent(name)}`;
  try {
    return (await desk.rest.send({ method: 'GET', path, signal: desk.signal })) as TableResource;
  } catch (error) {
    if (error instanceof BigQueryError && error.status === 404) return null;
    throw error;
  }
}

export function kindOf({ type }: { type: string }): DescribedTable['kind'] {
  return type.endsWith('VIEW') ? 'VIEW' : 'TABLE';
}

/** Makes the dataset where it is missing. */
export async function ensureDataset(desk: Desk, schema: string): Promise<void> {
  const { rest, settings, signal } = desk;
  const path = '/datasets';
  try {
    await rest.send({ method: 'GET', path: `${path}/${encodeURIComponent(schema)}`, signal });
  } catch (error) {
    if (!(error instanceof BigQueryError) || error.status !== 404) throw error;
    const { projectId } = rest.login;
    const body = {
      datasetReference: { projectId, datasetId: schema },
      ...(settings.location !== undefined && { location: settings.location }),
    };
    await rest.send({ method: 'POST', path, body, signal }).catch((failure: unknown) => {
      const isThere = failure instanceof BigQueryError && failure.status === 409;
      if (!isThere) throw failure;
    });
  }
}

/** The names of what lies in a dataset; none where there is no such dataset. */
export async function tableNames({ rest, signal }: Desk, schema: string): Promise<string[]> {
  const names: string[] = [];
  for (let pageToken: string | undefined; ;) {
    const path = `/datasets/${encodeURIComponent(schema)}/tables`;
    const request = { method: 'GET' as const, path, query: { maxResults: 1_000, pageToken }, signal };
    const page = (await rest.send(request).catch((error: unknown) => {
      if (error instanceof BigQueryError && error.status === 404) return {};
      throw error;
    })) as { tables?: Pick<TableResource, 'tableReference'>[]; nextPageToken?: string };
    names.push(...(page.tables ?? []).map(({ tableReference }) => tableReference.tableId));
    pageToken = page.nextPageToken;
    if (pageToken === undefined || pageToken === '') return names;
  }
}

/** What lies in a dataset under names that begin so; none where there is no such dataset. */
export async function tablesNamed(desk: Desk, schema: string, prefix: string): Promise<TableResource[]> {
  const { projectId: database } = desk.rest.login;
  const names = (await tableNames(desk, schema)).filter((name) => name.startsWith(prefix));
  const found = await forEach(names, (name) => findTable(desk, { database, schema, name }));
  return found.filter((table) => table !== null);
}

/** Of a location only its own datasets can be asked. */
async function datasetsOf({ rest, settings: { location }, signal }: Desk): Promise<string[]> {
  const names: string[] = [];
  for (let pageToken: string | undefined; ;) {
    const query = { maxResults: 1_000, pageToken };
    const page = (await rest.send({ method: 'GET', path: '/datasets', query, signal })) as {
      datasets?: Dataset[];
      nextPageToken?: string;
    };
    for (const { datasetReference, location: own } of page.datasets ?? []) {
      const isElsewhere = location !== undefined && own?.toLowerCase() !== location.toLowerCase();
      const { datasetId } = datasetReference;
      if (!isElsewhere && datasetId !== stagingSchema) names.push(datasetId);
    }
    pageToken = page.nextPageToken;
    if (pageToken === undefined || pageToken === '') return names.sort(compare);
  }
}

type ColumnRow = [
  name: string,
  type: string,
  column: string,
  dataType: string,
  nullable: string,
  ordinal: bigint,
  rowCount: bigint | null,
];

async function describeDataset(desk: Desk, schema: string): Promise<DescribedTable[]> {
  const { projectId: database } = desk.rest.login;
  const inside = (view: string) => sql`${nameSql(database, schema)}.${rawSql(view)}`;
  const piece = sql`SELECT c.table_name, t.table_type, c.column_name, c.data_type, c.is_nullable, c.ordinal_position, s.row_count
    FROM ${inside('INFORMATION_SCHEMA.COLUMNS')} AS c
    JOIN ${inside('INFORMATION_SCHEMA.TABLES')} AS t ON t.table_name = c.table_name
    LEFT JOIN ${inside('__TABLES__')} AS s ON s.table_id = c.table_name
    WHERE c.ordinal_position IS NOT NULL AND NOT STARTS_WITH(c.table_name, ${stagingPrefix})
    ORDER BY 1, 6`;
  const { rows } = await desk.run(toStatement(piece, bigQueryDialect));
  const tables = new Map<string, DescribedTable>();
  for (const [name, type, column, dataType, nullable, ordinal, rowCount] of rows as ColumnRow[]) {
    const kind = kindOf({ type });
    const counted = type === 'BASE TABLE' ? rowCount : null;
    const table = tables.get(name) ?? { database, schema, name, kind, columns: [], rowCount: counted };
    tables.set(name, table);
    table.columns.push({ name: column, dataType, nullable: nullable === 'YES', ordinal: Number(ordinal) });
  }
  return [...tables.values()];
}

function describedOf(resource: TableResource): DescribedTable {
  const { tableReference, type, schema, numRows } = resource;
  const { projectId: database, datasetId, tableId: name } = tableReference;
  const columns = (schema?.fields ?? []).map((field, at): DescribedColumn => ({
    name: field.name,
    dataType: typeName(field),
    nullable: field.mode === undefined || field.mode === 'NULLABLE',
    ordinal: at + 1,
  }));
  const isCounted = type === 'TABLE' && numRows !== undefined;
  return {
    database,
    schema: datasetId,
    name,
    kind: kindOf(resource),
    columns,
    rowCount: isCounted ? BigInt(numRows) : null,
  };
}

async function forEach<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const slots = new Slots(requestsMax);
  return Promise.all(
    items.map(async (item) => {
      const free = await slots.take();
      return ask(item).finally(free);
    }),
  );
}
