import { AppError } from '#base/errors.ts';
import type { CatalogTable } from '#generated/prisma/client.ts';
import { rawSql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { Answer } from '#warehouse/warehouse.ts';
import type { CatalogDeps } from './deps.ts';
import { type Cost, metered } from './meter.ts';

/** "datastore.database.schema.table", the name a table has across all datastores of a project. */
export function fqnOf(
  table: Pick<CatalogTable, 'database' | 'schema' | 'name'>,
  datastoreName: string,
): string {
  return [datastoreName, table.database, table.schema, table.name].join('.');
}

/** The first rows of a table, straight from its warehouse. Fails with NOT_FOUND when the table is gone there. */
export async function sampleTable(
  deps: CatalogDeps,
  table: Pick<CatalogTable, 'projectId' | 'database' | 'schema' | 'name'> & { datastore: { name: string } },
  {
    meter,
    requestId,
    ...options
  }: {
    rowsMax: number;
    signal: AbortSignal;
    meter: Cost;
    requestId?: string;
  },
): Promise<Answer> {
  const { warehouse } = await deps.datastores.open(table.projectId, table.datastore.name);
  const present = await warehouse.tables([table], { signal: options.signal });
  if (present.length === 0) {
    throw new AppError(
      'NOT_FOUND',
      `The table ${fqnOf(table, table.datastore.name)} is not in its datastore any more.`,
      {
        fix: 'Run refreshCatalog, or sync the job that writes it.',
      },
    );
  }
  const some = sql`SELECT * FROM ${tableSql(table)} LIMIT ${rawSql(String(options.rowsMax + 1))}`;
  const tag = requestId === undefined ? 'sample' : `${requestId} sample`;
  return metered(meter, () =>
    warehouse.run(toStatement(some, warehouse.dialect), { ...options, tag, deadlineMs: 10_000 }),
  );
}
