import type { Viewer } from '#accounts/viewer.ts';
import type { Problem } from '#base/errors.ts';
import { type ColumnUse, copyProblems, findColumn, type NeededColumn } from './check-copy.ts';
import { jsonProblem, type MapEntityInput } from './check-mapping.ts';
import type { CatalogDeps } from './deps.ts';
import { findTable, type TableReference } from './find-table.ts';
import { type CatalogedTable, type MappedColumns, type Mapping, propertyNames } from './mappings.ts';

interface Copies {
  table: CatalogedTable | null;
  aliasTable: CatalogedTable | null;
  problems: Problem[];
}

const uses: Record<keyof MappedColumns, ColumnUse> = {
  name: 'text',
  email: 'text',
  at: 'moment',
  createdAt: 'moment',
  userKey: 'key',
  organizationKey: 'key',
};

/**
 * The copies that entities are to be read from, and what is wrong with them: every column that is mapped must be there, with
 * values of the same kind. What the columns are is not looked at while the mapping itself has problems: it is then null.
 */
export async function findCopies(
  deps: CatalogDeps,
  viewer: Viewer,
  input: MapEntityInput,
  mapping: Mapping | null,
): Promise<Copies> {
  const problems: Problem[] = [];
  const find = async (reference: TableReference | null | undefined, path: string) => {
    if (reference == null) return null;
    const found = await findTable(deps.store.db, viewer.projectId, reference, [path]);
    if ('table' in found) return found.table;
    problems.push(found.problem);
    return null;
  };
  const table = await find(input.servedFrom, 'servedFrom');
  const aliasTable = await find(input.aliasServedFrom, 'aliasServedFrom');
  if (input.aliasServedFrom != null && input.aliasTable == null) {
    const message = 'aliasServedFrom is a copy of aliasTable, which is missing.';
    problems.push({ code: 'INVALID', path: ['aliasServedFrom'], message, fix: 'Name aliasTable, too.' });
  }
  if (mapping && table) {
    problems.push(...copyProblems(mapping.table, table, columnsOf(mapping), ['servedFrom']));
    problems.push(...(await jsonProblems(deps, viewer, mapping, table)));
  }
  if (mapping?.alias && aliasTable) {
    const { aliasKey, canonicalKey, table: original } = mapping.alias;
    const needed = [aliasKey, canonicalKey].map((name) => ({ name, use: 'key' }) as const);
    problems.push(...copyProblems(original, aliasTable, needed, ['aliasServedFrom']));
  }
  return { table, aliasTable, problems };
}

function columnsOf(mapping: Mapping): NeededColumn[] {
  const { key, columns, propertiesColumn } = mapping;
  const fields = Object.entries(columns) as [keyof MappedColumns, string][];
  const properties = propertiesColumn === null ? (propertyNames(mapping) ?? []) : [];
  return [
    { name: key, use: 'key' },
    ...fields.map(([field, name]) => ({ name, use: uses[field] })),
    ...(propertiesColumn === null ? [] : [{ name: propertiesColumn, use: 'json' as const }]),
    ...properties.map((name) => ({ name, use: 'value' as const })),
  ];
}

async function jsonProblems(
  deps: CatalogDeps,
  viewer: Viewer,
  { propertiesColumn: name }: Mapping,
  copy: CatalogedTable,
): Promise<Problem[]> {
  const path = ['servedFrom'];
  const found = name === null ? null : findColumn(copy, name, path);
  if (name === null || found === null || 'problem' in found || found.type !== 'text') return [];
  const problem = await jsonProblem(deps, viewer, copy, { ...found, name }, path);
  return problem ? [problem] : [];
}
