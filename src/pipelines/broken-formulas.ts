import { AppError } from '#base/errors.ts';
import type { Break, Standing } from '#catalog/breaks.ts';
import type { Mappings } from '#catalog/mappings.ts';
import { mappingOf } from '#catalog/row-source.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { entitySelect, type Formula, namesOf } from './formula.ts';

/**
 * The transformations by formulas that can be computed before and not after, as far as the names of their expressions tell:
 * the engine is not asked. One statement of the store.
 */
export async function formulaBreaks(
  db: Db | Tx,
  projectId: string,
  before: Standing,
  after: Standing,
): Promise<Break[]> {
  const rows = await db.transformation.findMany({
    where: { projectId, deletedAt: null, formula: { not: Prisma.AnyNull } },
    select: { id: true, name: true, formula: true, datastoreId: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
  return rows.flatMap(({ id, name, formula: kept, datastoreId }): Break[] => {
    // Written by upsertTransformation alone, in this shape.
    const formula = kept as unknown as Formula;
    if (whyNone(before.mappings, formula, datastoreId) !== null) return [];
    const reason =
      whyNone(after.mappings, formula, datastoreId) ?? lostName(before.mappings, after.mappings, formula);
    return reason === null ? [] : [{ kind: 'TRANSFORMATION', id, name, reason }];
  });
}

/** Why there are no entities to compute anything of; null when there are. */
function whyNone(mappings: Mappings, { entity }: Formula, datastoreId: string): string | null {
  try {
    const { datastore } = mappingOf(mappings, entity).table;
    if (datastore.id !== datastoreId)
      return `${entity} lies in the datastore "${datastore.name}", not in its own.`;
    entitySelect(mappings, entity, dialectOf(datastore.engine));
    return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

/** The first name that an expression uses and that the entity has no more. */
function lostName(before: Mappings, after: Mappings, { entity, columns }: Formula): string | null {
  const [had, has] = [before, after].map((mappings) => nameSet(mappings, entity)) as [
    Set<string>,
    Set<string>,
  ];
  for (const { name, expression } of columns) {
    const lost = wordsOf(expression).find(
      (word) => had.has(word.toLowerCase()) && !has.has(word.toLowerCase()),
    );
    if (lost !== undefined)
      return `Its column "${name}" is computed from "${lost}", which ${entity} has no more.`;
  }
  return null;
}

function nameSet(mappings: Mappings, kind: Formula['entity']): Set<string> {
  const { propertiesColumn, properties } = mappingOf(mappings, kind);
  const names = namesOf(mappings, kind).map(([name]) => name.toLowerCase());
  return new Set(propertiesColumn !== null && properties === null ? [...names, 'properties'] : names);
}

/** Strings; quoted names; names that no parenthesis follows, since those are functions. */
const tokens =
  /'(?:[^']|'')*'|"((?:[^"]|"")*)"|`([^`]*)`|([\p{L}_][\p{L}\p{N}_$]*)(?!\s*\(|[\p{L}\p{N}_$])/gu;

/** The names that may be those of columns. */
function wordsOf(expression: string): string[] {
  return [...expression.matchAll(tokens)].flatMap(([, quoted, ticked, bare]) => {
    const word = quoted?.replaceAll('""', '"') ?? ticked ?? bare;
    return word === undefined ? [] : [word];
  });
}
