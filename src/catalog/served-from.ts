import type { Problem } from '#base/errors.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { type CatalogedTable, type Mapping, type Mappings, propertyNames } from './mappings.ts';

/*
 * A table may have an operational copy in another datastore, made by a job. Entities are read from the copy, metrics and
 * formulas from the table itself. A statement reads one datastore: what it needs of others is asked of them by lists of
 * keys, and what cannot be asked so is refused when it is mapped.
 */

/**
 * The mappings as a statement over the entities of that kind reads them: its own table is the copy where there is one, and of
 * the others and of aliases whichever table lies in the same datastore, the copy first.
 */
export function servedMappings(mappings: Mappings, kind: EntityKind): Mappings {
  const all = Object.values(mappings);
  const base = mappings[kind];
  if (!base || !all.some(({ servedFrom, alias }) => servedFrom ?? alias?.servedFrom)) return mappings;
  const datastore = servedTable(base).datastore;
  return Object.fromEntries(all.map((mapping) => [mapping.kind, readIn(datastore, mapping)]));
}

/** The table that entities of a mapping are read from. */
export function servedTable({ servedFrom, table }: Mapping): CatalogedTable {
  return servedFrom ?? table;
}

type Place = CatalogedTable['datastore'];

/** The copy where it lies there; where neither does, it is the reader's to say so. */
function tableIn(
  place: Place,
  table: CatalogedTable,
  copy: CatalogedTable | null | undefined,
): CatalogedTable {
  if (!copy) return table;
  return copy.datastore.id === place.id || table.datastore.id !== place.id ? copy : table;
}

function readIn(place: Place, mapping: Mapping): Mapping {
  const { alias, servedFrom } = mapping;
  const table = tableIn(place, mapping.table, servedFrom);
  const read = {
    ...mapping,
    table,
    alias: alias && { ...alias, table: tableIn(place, alias.table, alias.servedFrom) },
  };
  if (table === mapping.table) return read;
  const ofColumns = mapping.properties === null && mapping.propertiesColumn === null;
  const names = new Set(table.columns.map(({ name }) => name));
  return {
    ...read,
    unnamed: mapping.table.name,
    // A column that the original has got since, and the copy not yet, is no property before the copy has it.
    properties: ofColumns ? propertyNames(mapping)!.filter((name) => names.has(name)) : mapping.properties,
  };
}

/** What no statement could answer of these mappings, of which the one of that kind is to be changed. */
export function servingProblems(mappings: Mappings, changed: EntityKind): Problem[] {
  const { USER, EVENT } = mappings;
  if (!USER || (changed !== 'USER' && changed !== 'EVENT')) return [];
  const problems: Problem[] = [];
  const readsAliases: [string, CatalogedTable][] = [
    ['users', servedTable(USER)],
    ...(EVENT?.columns.userKey === undefined
      ? []
      : ([
          ['events', EVENT.table],
          ['events', servedTable(EVENT)],
        ] as [string, CatalogedTable][])),
  ];
  const away = readsAliases.find(([, { datastore }]) => !liesIn(datastore, USER.alias));
  if (away) problems.push(aliasesAway(away[0], away[1].datastore, USER, changed));
  if (EVENT?.servedFrom && isOfUsersOrganization(EVENT, USER)) {
    const { datastore } = EVENT.servedFrom;
    if (![USER.table, USER.servedFrom].some((table) => table?.datastore.id === datastore.id)) {
      const message = `Events have no column of their organization: it is their user's, and no table of users lies in the datastore "${datastore.name}", where events are served from.`;
      const fix = 'Map organizationKey of events, or serve the users from a copy there, too.';
      problems.push({ code: 'INVALID', path: ['servedFrom'], message, fix });
    }
  }
  return problems;
}

function liesIn({ id }: Place, alias: Mapping['alias']): boolean {
  return alias === null || alias.table.datastore.id === id || alias.servedFrom?.datastore.id === id;
}

function isOfUsersOrganization(event: Mapping, user: Mapping): boolean {
  const { userKey, organizationKey } = event.columns;
  return organizationKey === undefined && userKey !== undefined && user.columns.organizationKey !== undefined;
}

function aliasesAway(whose: string, place: Place, { alias }: Mapping, changed: EntityKind): Problem {
  const message = `The aliases of users lie in the datastore "${alias!.table.datastore.name}" and ${whose} in "${place.name}": one statement cannot read both.`;
  const fix = `Copy the aliases to "${place.name}", and map USER with that copy as aliasServedFrom.`;
  const path = [changed === 'EVENT' ? 'servedFrom' : 'aliasServedFrom'];
  return { code: 'INVALID', path, message, fix };
}
