import type { Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { type CatalogedTable, loadTable } from './mappings.ts';
import { fqnOf } from './tables.ts';

/** A table by its id, or by its name: datastore.database.schema.table, or the end of that where no other table ends so. */
export type TableReference = { id: string } | { name: string };

const namesShown = 20;

/** The table that is meant, or what is wrong with how it is named, at the path. */
export async function findTable(
  db: Db | Tx,
  projectId: string,
  reference: TableReference,
  path: readonly string[],
): Promise<{ table: CatalogedTable } | { problem: Problem }> {
  if ('id' in reference) {
    const table = await loadTable(db, projectId, { id: reference.id });
    if (table) return { table };
    const message = 'There is no table of that id in this project.';
    return { problem: { code: 'NOT_FOUND', path, message, fix: 'List the tables with the query tables.' } };
  }
  const [found] = await findTables(db, projectId, [reference.name], path);
  return found!;
}

/** The tables that are meant by names, in their order, or what is wrong with each. One statement beside those of the tables found. */
export async function findTables(
  db: Db | Tx,
  projectId: string,
  names: readonly string[],
  path: readonly string[],
): Promise<({ table: CatalogedTable } | { problem: Problem })[]> {
  if (names.length === 0) return [];
  const known = await db.catalogTable.findMany({
    where: { projectId, goneAt: null },
    select: { id: true, database: true, schema: true, name: true, datastore: { select: { name: true } } },
    orderBy: [{ schema: 'asc' }, { name: 'asc' }],
  });
  const named = known.map((each) => ({ ...each, fqn: fqnOf(each, each.datastore.name) }));
  return Promise.all(
    names.map(async (name) => {
      const exact = named.filter((each) => each.fqn === name);
      const found = exact.length > 0 ? exact : named.filter((each) => shortNames(each).includes(name));
      const table = found.length === 1 ? await loadTable(db, projectId, { id: found[0]!.id }) : null;
      if (table) return { table };
      return { problem: found.length > 1 ? ambiguous(name, found, path) : unknown(name, named, path) };
    }),
  );
}

interface Named {
  database: string;
  schema: string;
  name: string;
  fqn: string;
}

/** The names that a table has beside its whole one, for as long as no other table has them. */
export function shortNames({ database, schema, name }: Omit<Named, 'fqn'>): string[] {
  return [name, `${schema}.${name}`, `${database}.${schema}.${name}`];
}

function ambiguous(name: string, found: readonly Named[], path: readonly string[]): Problem {
  return {
    code: 'INVALID',
    path,
    message: `${quote(name)} is the name of ${found.length} tables: ${listed(found.map((each) => each.fqn))}.`,
    fix: 'Use the whole name of the one you mean.',
  };
}

function unknown(name: string, known: readonly Named[], path: readonly string[]): Problem {
  const near = nearest(
    name,
    known.flatMap((each) => [...shortNames(each), each.fqn]),
  );
  const meant = near ? ` Did you mean "${near}"?` : '';
  const names = known.map((each) => `${each.schema}.${each.name}`);
  const there = names.length > 0 ? `There are: ${listed(names)}.` : 'The catalog knows no table.';
  return {
    code: 'NOT_FOUND',
    path,
    message: `There is no table ${quote(name)}.${meant} ${there}`,
    fix: 'List the tables with the query tables; refreshCatalog finds those that were made elsewhere.',
  };
}

/** Some of the names, and how many more there are. */
export function listed(names: readonly string[]): string {
  const more = names.length - namesShown;
  const shown = names.slice(0, namesShown).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** A word of an input as messages show it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
