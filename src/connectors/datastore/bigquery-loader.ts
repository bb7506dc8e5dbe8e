import { AppError } from '#base/errors.ts';
import { type ColumnType, ConnectorError } from '#connectors/contract.ts';
import { bigQueryDialect } from '#warehouse/bigquery-dialect.ts';
import { BigQueryError } from '#warehouse/bigquery-errors.ts';
import {
  ensureDataset,
  findTable,
  kindOf,
  tablesNamed,
  type TableResource,
} from '#warehouse/bigquery-tables.ts';
import { asScript } from '#warehouse/bigquery-script.ts';
import { loadParquet } from '#warehouse/bigquery-upload.ts';
import { typeName } from '#warehouse/bigquery-values.ts';
import type { BigQueryWarehouse } from '#warehouse/bigquery.ts';
import { joinSql, nameSql, rawSql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import { bigQueryColumnType, bigQueryConvert, bigQueryTravel } from './bigquery-travel.ts';
import type { CloudLoader, EngineTable, Replacement } from './cloud-loader.ts';

const statementMs = 3_600_000;
const asTextOnly: ReadonlySet<ColumnType['kind']> = new Set(['json', 'list', 'float32', 'float64']);

/** Loads Parquet files into a BigQuery: a load job makes the table with its description, which is its note. */
export function bigQueryLoader(warehouse: BigQueryWarehouse): CloudLoader {
  const { database } = warehouse;
  const within = (signal: AbortSignal) => ({ signal, deadlineMs: statementMs });
  return {
    title: 'BigQuery',
    dialect: bigQueryDialect,
    database,
    noteLengthMax: 16_000,
    travel: bigQueryTravel,
    convert: bigQueryConvert,
    // JSON can be grouped by nothing, and a window takes no floats for its parts.
    comparable: (value, { kind }) => (asTextOnly.has(kind) ? sql`TO_JSON_STRING(${value})` : value),
    async run(statement, signal) {
      const options = { ...within(signal), rowsMax: 1_000_000, bytesMax: Infinity };
      return (await warehouse.run(statement, options)).rows;
    },
    makeSchema: (schema, signal) => warehouse.work(within(signal), (desk) => ensureDataset(desk, schema)),
    async describe(table, signal) {
      const found = await warehouse.work(within(signal), (desk) => findTable(desk, table));
      return found && engineTableOf(found);
    },
    async tables(schema, prefix, signal) {
      const found = await warehouse.work(within(signal), (desk) => tablesNamed(desk, schema, prefix));
      return found.map(({ tableReference, description = '', creationTime = '0' }) => ({
        name: tableReference.tableId,
        note: description,
        createdAt: new Date(Number(creationTime)),
      }));
    },
    load: (into, columns, { path, note }, signal) =>
      warehouse.work(within(signal), (desk) => loadParquet(desk, { into, columns, path, description: note })),
    async replace(target, by, signal) {
      const statement = toStatement(replaceSql(target, by), bigQueryDialect);
      await warehouse.work(within(signal), (desk) => desk.write(statement));
    },
    async commit(guard, then, signal) {
      const script = asScript(guard, then);
      const rows = await warehouse.work(within(signal), async (desk) => {
        const { pieces } = await desk.write(script);
        return (await Array.fromAsync(pieces())).flat();
      });
      return rows[0]?.[0] === true;
    },
    explain: (error) => otherPartitions(error) ?? missingPermission(error),
  };
}

function engineTableOf(table: TableResource): EngineTable {
  return {
    kind: kindOf(table),
    note: table.description ?? '',
    columns: (table.schema?.fields ?? []).map((field) => {
      const dataType = typeName(field);
      const nullable = field.mode !== 'REQUIRED';
      return { name: field.name, dataType, type: bigQueryColumnType(dataType), nullable };
    }),
  };
}

/** One statement: readers have the old table until it ends. Who may read a dataset may read what is replaced in it. */
function replaceSql(target: Parameters<CloudLoader['replace']>[0], { columns, select, note }: Replacement) {
  const defined = columns.map(({ name, type }) => sql`${nameSql(name)} ${rawSql(type)}`);
  const description = rawSql(bigQueryDialect.quoteText(note));
  return sql`CREATE OR REPLACE TABLE ${tableSql(target)} (${joinSql(defined)}) OPTIONS (description = ${description}) AS ${select}`;
}

/** A table that somebody partitioned is replaced only by one that is partitioned as it is. */
function otherPartitions(error: unknown): ConnectorError | undefined {
  const cause = error instanceof AppError ? error.cause : undefined;
  if (!(cause instanceof BigQueryError) || !/different partitioning spec/i.test(cause.message))
    return undefined;
  const said = 'The table is partitioned, and BigQuery replaces it only by one that is partitioned as it is.';
  return new ConnectorError('SCHEMA', said, {
    cause: error,
    fix: 'Sync by APPEND or UPSERT, give the stream another destinationTable, or drop the table and sync again.',
  });
}

function missingPermission(error: unknown): ConnectorError | undefined {
  const cause = error instanceof AppError ? error.cause : undefined;
  if (!(cause instanceof BigQueryError) || cause.reason !== 'accessDenied') return undefined;
  return new ConnectorError(
    'CONFIG',
    `The service account of the datastore may not write there: ${cause.message}`,
    {
      cause: error,
      path: ['datastore'],
      fix: 'Grant it BigQuery Job User on the project, and BigQuery Data Editor on the datasets that are written, or on the project for datasets that are not there yet.',
    },
  );
}
