import { describeSelect } from './bigquery-describe.ts';
import { bigQueryDialect } from './bigquery-dialect.ts';
import { BigQueryError } from './bigquery-errors.ts';
import type { Desk } from './bigquery-query.ts';
import { ensureDataset, findTable, kindOf } from './bigquery-tables.ts';
import { stagingSchema } from './duckdb-tables.ts';
import { refuseBinds, refuseItself, refuseOther } from './refuse-write.ts';
import { tableSql, toStatement } from './sql.ts';
import type { Statement, WriteTarget } from './warehouse.ts';

/**
 * Makes the target from a SELECT, as Warehouse.write says. A table is the result of a query that is given its place when it
 * is whole, which takes no other kind of statement and no second one; a view is replaced in one step.
 */
export async function writeTarget(
  desk: Desk,
  target: WriteTarget,
  select: Statement,
): Promise<bigint | null> {
  const { database, schema, name, kind } = target;
  if (target.kind === 'VIEW') {
    refuseBinds(select);
    refuseItself(target, await describeSelect(desk, select.sql));
  }
  const found = await findTable(desk, target);
  refuseOther(`${schema}.${name}`, target, found ? kindOf(found) : undefined);
  if (!found) await ensureDataset(desk, schema);
  if (kind === 'VIEW') {
    const made = toStatement(tableSql(target), bigQueryDialect).sql;
    // On lines of its own: it may end with a comment.
    await desk.write({ sql: `CREATE OR REPLACE VIEW ${made} AS\n${select.sql}` });
    return null;
  }
  const { rowCount } = await desk.write(select, {
    destinationTable: { projectId: database, datasetId: schema, tableId: name },
    createDisposition: 'CREATE_IF_NEEDED',
    writeDisposition: 'WRITE_TRUNCATE',
  });
  return rowCount;
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says. */
export async function writeOwn(desk: Desk, name: string, select: Statement): Promise<bigint> {
  const { projectId: database } = desk.rest.login;
  return (await writeTarget(desk, { database, schema: stagingSchema, name, kind: 'TABLE' }, select)) ?? 0n;
}

/** Drops a table, if it is there. */
export async function dropTable({ rest, signal }: Desk, schema: string, name: string): Promise<void> {
  const path = `/datasets/${encodeURIComponent(schema)}/tables/${encodeURIComponent(name)}`;
  await rest.send({ method: 'DELETE', path, signal }).catch((error: unknown) => {
    if (!(error instanceof BigQueryError) || error.status !== 404) throw error;
  });
}
