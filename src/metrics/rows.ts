import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { loadMappings, type CatalogedTable, loadTable, type Mappings } from '#catalog/mappings.ts';
import { entitySource, mappingOf, type RowSource, tableSource } from '#catalog/row-source.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Dialect } from '#warehouse/dialect.ts';
import type { KnownDefinition, SimpleDefinition } from './definition.ts';
import type { MetricDeps } from './deps.ts';

/** Where the rows of a measure are: two of the same key are the same rows. */
export interface Rows {
  key: string;
  datastore: CatalogedTable['datastore'];
  /** The path of the time that places a row in a period. */
  time: string;
  /** The rows, to ask columns of, for one statement. */
  open(): RowSource;
}

/** What definitions stand on: the mappings of a project, the tables that they name, and how their engines spell SQL. */
export interface Ground {
  mappings: Mappings;
  /** By whole name. */
  tables: ReadonlyMap<string, CatalogedTable>;
  /** By name of the datastore. */
  dialects: ReadonlyMap<string, Dialect>;
}

/** The times that entities have by themselves. */
const timeOf: Record<EntityKind, string> = { USER: 'createdAt', ORGANIZATION: 'createdAt', EVENT: 'at' };

/** Reads the mappings, and each table that a definition names, once. Tables that are not there are left out. */
export async function loadGround(
  deps: Pick<MetricDeps, 'store' | 'catalog'>,
  projectId: string,
  definitions: readonly KnownDefinition[],
): Promise<Ground> {
  const mappings = await loadMappings(deps.store.db, projectId);
  const tables = new Map<string, CatalogedTable>();
  const names = definitions.flatMap((each) => (each.kind === 'SIMPLE' ? (each.simple.table ?? []) : []));
  for (const name of new Set(names)) {
    const where = tableWhere(name);
    const table = where && (await loadTable(deps.store.db, projectId, where));
    if (table) tables.set(name, table);
  }
  const dialects = new Map<string, Dialect>();
  const all = [...tables.values(), ...Object.values(mappings).map((mapping) => mapping.table)];
  for (const { datastore } of all) {
    if (dialects.has(datastore.name)) continue;
    const { warehouse } = await deps.catalog.datastores.open(projectId, datastore.name);
    dialects.set(datastore.name, warehouse.dialect);
  }
  return { mappings, tables, dialects };
}

/** The rows of a SIMPLE definition. Fails with BAD_USER_INPUT when its entity is not mapped, or its table is gone. */
export function rowsOf(ground: Ground, { entity, table, time }: SimpleDefinition): Rows {
  if (entity != null) return entityRows(ground, entity, time ?? timeOf[entity]);
  const found = ground.tables.get(table ?? '');
  if (!found) {
    const near = nearest(table ?? '', [...ground.tables.keys()]);
    throw new AppError(
      'BAD_USER_INPUT',
      `There is no table "${table}".${near ? ` Did you mean "${near}"?` : ''}`,
      { fix: 'List the tables with the query tables, or run refreshCatalog.' },
    );
  }
  if (time == null) throw new AppError('BAD_USER_INPUT', `The time of the table "${table}" is missing.`);
  const dialect = ground.dialects.get(found.datastore.name) as Dialect;
  return {
    key: JSON.stringify([found.id, time]),
    datastore: found.datastore,
    time,
    open: () => tableSource(found, dialect),
  };
}

/** The rows of an entity. Fails with BAD_USER_INPUT when it is not mapped. */
export function entityRows(ground: Ground, entity: EntityKind, time: string = timeOf[entity]): Rows {
  const { datastore } = mappingOf(ground.mappings, entity).table;
  const dialect = ground.dialects.get(datastore.name) as Dialect;
  return {
    key: JSON.stringify([entity, time]),
    datastore,
    time,
    open: () => entitySource(ground.mappings, entity, dialect),
  };
}

/** A whole name could be cut in many ways; names with dots in them are met by trying each. */
function tableWhere(fqn: string): object | null {
  const words = fqn.split('.');
  if (words.length < 4 || words.length > 10) return null;
  const ways: object[] = [];
  for (let one = 1; one <= words.length - 3; one += 1) {
    for (let two = one + 1; two <= words.length - 2; two += 1) {
      for (let three = two + 1; three <= words.length - 1; three += 1) {
        const [datastore, database, schema, name] = [
          words.slice(0, one),
          words.slice(one, two),
          words.slice(two, three),
          words.slice(three),
        ].map((part) => part.join('.')) as [string, string, string, string];
        ways.push({ datastore: { name: datastore, deletedAt: null }, database, schema, name });
      }
    }
  }
  return { OR: ways };
}
