import type { DatastoreEngine, EntityKind } from '#generated/prisma/enums.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { type Memory, type Reader, remembered } from './memory.ts';
import type { DescribedColumn } from '#warehouse/warehouse.ts';

/** A table of the catalog as questions are made from it. */
export interface CatalogedTable {
  id: string;
  database: string;
  schema: string;
  name: string;
  columns: readonly DescribedColumn[];
  datastore: { id: string; name: string; engine: DatastoreEngine };
}

/** The columns of a mapping that are more than properties; each kind has some of them. */
export interface MappedColumns {
  name?: string;
  email?: string;
  at?: string;
  createdAt?: string;
  userKey?: string;
  organizationKey?: string;
}

/** Which table holds the entities of one kind, and which columns are what. */
export interface Mapping {
  kind: EntityKind;
  table: CatalogedTable;
  key: string;
  columns: MappedColumns;
  /** The JSON column that holds the properties; null where plain columns do. */
  propertiesColumn: string | null;
  /** The properties by name; null for all other columns, or all names of the JSON column. */
  properties: readonly string[] | null;
  /** Each alias of a user beside the key of the user that it is. Of USER alone. */
  alias: {
    table: CatalogedTable;
    aliasKey: string;
    canonicalKey: string;
    /** A copy of that table; none where there is none. */
    servedFrom?: CatalogedTable | null;
  } | null;
  /** A copy of the table that entities are read from; none where they are read from the table itself. */
  servedFrom?: CatalogedTable | null;
  /** What events without a name are called; the name of the table when left out. */
  unnamed?: string;
}

export type Mappings = Partial<Record<EntityKind, Mapping>>;

const tableSelect = {
  id: true,
  database: true,
  schema: true,
  name: true,
  columns: true,
  datastore: { select: { id: true, name: true, engine: true } },
} as const satisfies Prisma.CatalogTableSelect;

type TableRow = Prisma.CatalogTableGetPayload<{ select: typeof tableSelect }>;

/** All mappings of the project. One statement. */
export async function loadMappings(db: Db | Tx, projectId: string): Promise<Mappings> {
  const rows = await db.entityMapping.findMany({
    where: { projectId },
    include: {
      table: { select: tableSelect },
      aliasTable: { select: tableSelect },
      servedFrom: { select: tableSelect },
      aliasServedFrom: { select: tableSelect },
    },
  });
  const mappings: Mappings = {};
  for (const row of rows) {
    const { kind, key, propertiesColumn, aliasTable, aliasKey, canonicalKey } = row;
    const { servedFrom, aliasServedFrom } = row;
    mappings[kind] = {
      kind,
      key,
      propertiesColumn,
      table: cataloged(row.table),
      // Both are written by mapEntity alone, in this shape.
      columns: row.columns as MappedColumns,
      properties: row.properties as string[] | null,
      alias:
        aliasTable && aliasKey !== null && canonicalKey !== null
          ? {
              table: cataloged(aliasTable),
              aliasKey,
              canonicalKey,
              servedFrom: aliasServedFrom && cataloged(aliasServedFrom),
            }
          : null,
      servedFrom: servedFrom && cataloged(servedFrom),
    };
  }
  return mappings;
}

/** All mappings of the reader's project, as they are remembered of its revision. One statement, where they are not. */
export function knownMappings(
  { store, memory }: { store: { db: Db }; memory: Memory },
  reader: Reader,
): Promise<Mappings> {
  return remembered(memory.of(reader), 'mappings', () => loadMappings(store.db, reader.projectId));
}

/** A table of the project as questions are made from it, by its id; null when there is none. */
export async function loadTable(
  db: Db | Tx,
  projectId: string,
  where: Prisma.CatalogTableWhereInput,
): Promise<CatalogedTable | null> {
  return (await loadTables(db, projectId, where))[0] ?? null;
}

/** The tables of the project as questions are made from them. One statement. */
export async function loadTables(
  db: Db | Tx,
  projectId: string,
  where: Prisma.CatalogTableWhereInput,
): Promise<CatalogedTable[]> {
  const rows = await db.catalogTable.findMany({
    where: { AND: [where, { projectId, goneAt: null }] },
    select: tableSelect,
  });
  return rows.map(cataloged);
}

function cataloged(row: TableRow): CatalogedTable {
  // Written by the catalog alone, in this shape.
  return { ...row, columns: row.columns as unknown as DescribedColumn[] };
}

/** The names that properties of this mapping may have; null when any name may be one, as in a JSON column. */
export function propertyNames(mapping: Mapping): readonly string[] | null {
  if (mapping.properties !== null) return mapping.properties;
  if (mapping.propertiesColumn !== null) return null;
  const taken = new Set([mapping.key, ...Object.values(mapping.columns)]);
  return mapping.table.columns.map((column) => column.name).filter((name) => !taken.has(name));
}
