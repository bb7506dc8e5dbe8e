import type { Viewer } from '#accounts/viewer.ts';
import { AppError, inputError } from '#base/errors.ts';
import type { CatalogTable } from '#generated/prisma/client.ts';
import { type Answer, quoteName } from '#warehouse/warehouse.ts';
import type { CatalogDeps } from './deps.ts';

const descriptionLengthMax = 10_000;
const tagsMax = 50;
const tagLengthMax = 100;

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
  options: { rowsMax: number; signal: AbortSignal },
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
  const from = [table.database, table.schema, table.name].map(quoteName).join('.');
  const sql = `SELECT * FROM ${from} LIMIT ${options.rowsMax + 1}`;
  return warehouse.run({ sql }, { ...options, deadlineMs: 10_000 });
}

/** Sets description and tags; what is left out stays. Fails with InputError. */
export async function updateTable(
  deps: CatalogDeps,
  viewer: Viewer,
  input: { id: string; description?: string | null; tags?: readonly string[] | null },
): Promise<CatalogTable> {
  const tags = input.tags?.map((tag) => tag.trim());
  if (input.description && input.description.length > descriptionLengthMax) {
    const length = input.description.length;
    throw inputError(
      'INVALID',
      ['description'],
      `The description has ${length} characters; at most ${descriptionLengthMax} are allowed.`,
    );
  }
  if (tags && (tags.length > tagsMax || tags.some((tag) => tag === '' || tag.length > tagLengthMax))) {
    throw inputError(
      'INVALID',
      ['tags'],
      `At most ${tagsMax} tags of 1 to ${tagLengthMax} characters are allowed.`,
    );
  }
  const changed = await deps.store.db.catalogTable.updateManyAndReturn({
    where: { id: input.id, projectId: viewer.projectId },
    data: {
      ...(input.description !== undefined && { description: input.description }),
      ...(tags && { tags: [...new Set(tags)] }),
    },
  });
  if (!changed[0])
    throw inputError(
      'NOT_FOUND',
      ['id'],
      'There is no such table in this project.',
      'List the tables with the query tables.',
    );
  return changed[0];
}
