import { presentTables } from '#accounts/visible.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError, type Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { CatalogTable, Prisma } from '#generated/prisma/client.ts';
import type { CatalogDeps } from './deps.ts';
import type { SaidColumn } from './save-tables.ts';

const descriptionLengthMax = 10_000;
const tagsMax = 50;
const tagLengthMax = 100;

const unknownTable: Problem = {
  code: 'NOT_FOUND',
  path: ['id'],
  message: 'There is no such table in this project.',
  fix: 'List the tables with the query tables.',
};

interface UpdateTableInput {
  id: string;
  /** Null takes the words away; left out, they stay. */
  description?: string | null | undefined;
  tags?: readonly string[] | null | undefined;
  /** Columns that are not named keep their words; one without a description loses them. */
  columns?: readonly { name: string; description?: string | null | undefined }[] | null | undefined;
}

/** Sets what people say of a table and its columns; what is left out stays. Fails with every problem of the input at once. */
export async function updateTable(
  deps: CatalogDeps,
  viewer: Viewer,
  input: UpdateTableInput,
): Promise<CatalogTable> {
  const tags = input.tags?.map((tag) => tag.trim());
  const problems = [...checkLengths(input), ...checkTags(tags)];
  return deps.store.db.$transaction(async (tx) => {
    // A task that writes the table meanwhile waits, and then keeps what is said here.
    await tx.$queryRaw`
      SELECT 1 FROM catalog_table
      WHERE id = ${input.id}::uuid AND project_id = ${viewer.projectId}::uuid FOR NO KEY UPDATE`;
    const table = await tx.catalogTable.findFirst({ where: { id: input.id, ...presentTables(viewer) } });
    if (!table) throw new InputError([unknownTable, ...problems]);
    // Written by the catalog alone, in this shape.
    const known = table.columns as unknown as SaidColumn[];
    problems.push(...checkColumns(table.name, known, input.columns ?? []));
    if (problems.length > 0) throw new InputError(problems);
    return tx.catalogTable.update({
      where: { id: table.id },
      data: {
        ...(input.description !== undefined && { description: input.description }),
        ...(tags && { tags: [...new Set(tags)] }),
        ...(input.columns && { columns: withWords(known, input.columns) }),
      },
    });
  });
}

function withWords(
  known: readonly SaidColumn[],
  said: NonNullable<UpdateTableInput['columns']>,
): Prisma.InputJsonArray {
  const words = new Map(said.map(({ name, description }) => [name, description]));
  return known.map((column) => {
    const description = words.has(column.name) ? (words.get(column.name) ?? null) : column.description;
    return { ...column, description };
  });
}

function checkLengths(input: UpdateTableInput): Problem[] {
  const all = [
    { path: ['description'], text: input.description },
    ...(input.columns ?? []).map(({ description }, index) => ({
      path: ['columns', String(index), 'description'],
      text: description,
    })),
  ];
  return all
    .filter(({ text }) => text != null && text.length > descriptionLengthMax)
    .map(({ path, text }) => ({
      code: 'INVALID',
      path,
      message: `The description has ${text?.length} characters; at most ${descriptionLengthMax} are allowed.`,
    }));
}

function checkTags(tags: readonly string[] | undefined): Problem[] {
  if (!tags || (tags.length <= tagsMax && tags.every((tag) => tag !== '' && tag.length <= tagLengthMax))) {
    return [];
  }
  const message = `At most ${tagsMax} tags of 1 to ${tagLengthMax} characters are allowed.`;
  return [{ code: 'INVALID', path: ['tags'], message }];
}

function checkColumns(
  table: string,
  known: readonly SaidColumn[],
  said: NonNullable<UpdateTableInput['columns']>,
): Problem[] {
  const names = known.map(({ name }) => name);
  return said.flatMap(({ name }, index): Problem[] => {
    const path = ['columns', String(index), 'name'];
    if (said.findIndex((each) => each.name === name) < index) {
      return [{ code: 'INVALID', path, message: `The column "${name}" is named twice.` }];
    }
    if (names.includes(name)) return [];
    const meant = nearest(name, names);
    const message = `The table ${table} has no column "${name}". It has: ${names.join(', ')}.`;
    return [{ code: 'NOT_FOUND', path, message, fix: meant && `Did you mean "${meant}"?` }];
  });
}
