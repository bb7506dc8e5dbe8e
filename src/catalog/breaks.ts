import { InputError } from '#base/errors.ts';
import type { Db, Tx } from '#store/open-store.ts';
import type { DescribedColumn } from '#warehouse/warehouse.ts';
import { type CatalogedTable, loadMappings, type Mapping, type Mappings } from './mappings.ts';

export type BreakKind = 'METRIC' | 'SIGNAL' | 'TRANSFORMATION';

/** A thing that worked before a change of what it stands on, and does not work after it. */
export interface Break {
  kind: BreakKind;
  id: string;
  name: string;
  /** Why it does not work, as a sentence. */
  reason: string;
}

/** What definitions stand on: the mappings, and the columns of tables where they are not those of the catalog, by the tables' ids. */
export interface Standing {
  mappings: Mappings;
  columns?: ReadonlyMap<string, readonly DescribedColumn[]>;
}

/** What of a project works as things stand before, and not as they stand after. Asks no warehouse. */
export type FindBreaks = (
  db: Db | Tx,
  projectId: string,
  before: Standing,
  after: Standing,
) => Promise<Break[]>;

/** A change that was refused for what it would break. */
export class BreakingError extends InputError {
  readonly breaks: readonly Break[];

  constructor(breaks: readonly Break[], path: readonly string[]) {
    super(
      breaks.map((each) => ({
        code: 'IN_USE',
        path,
        message: `${namedThing(each)} would not work any more: ${each.reason}`,
        fix: 'Change it first, or give allowBreaking: true to go on without it.',
      })),
    );
    this.name = 'BreakingError';
    this.breaks = breaks;
  }
}

/** A thing that breaks, as the beginning of a sentence. */
export function namedThing({ kind, name }: Break): string {
  return `The ${kind.toLowerCase()} "${name}"`;
}

/** What is made of entities and tables is written and taken their ground away one after the other in a project, until the transaction ends. */
export async function lockDefinitions(tx: Tx, projectId: string): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(${`metrics/${projectId}`}, 0))`;
}

/** What the columns that tables have now broke; `before` has those that they had, by the tables' ids. */
export async function breaksOfColumns(
  db: Db,
  findBreaks: FindBreaks,
  projectId: string,
  before: ReadonlyMap<string, readonly DescribedColumn[]>,
): Promise<Break[]> {
  if (before.size === 0) return [];
  const mappings = await loadMappings(db, projectId);
  return findBreaks(db, projectId, standingWith(mappings, before), { mappings });
}

function standingWith(mappings: Mappings, columns: NonNullable<Standing['columns']>): Standing {
  const was = Object.values(mappings).map((mapping): [string, Mapping] => [
    mapping.kind,
    {
      ...mapping,
      table: tableWith(mapping.table, columns),
      alias: mapping.alias && { ...mapping.alias, table: tableWith(mapping.alias.table, columns) },
    },
  ]);
  return { mappings: Object.fromEntries(was), columns };
}

/** The table with the columns that are given for it, if any are. */
export function tableWith(table: CatalogedTable, columns: Standing['columns']): CatalogedTable {
  const given = columns?.get(table.id);
  return given ? { ...table, columns: given } : table;
}
