import { may } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { Problem } from '#base/errors.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { nameSql, rawSql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import { findColumn, type FoundColumn } from './check-copy.ts';
import type { CatalogDeps } from './deps.ts';
import { findTable, quote, type TableReference } from './find-table.ts';
import type { CatalogedTable, MappedColumns } from './mappings.ts';
import { entityFields } from './row-source.ts';

type Maybe<T> = T | null | undefined;

export interface MapEntityInput extends Partial<Record<keyof MappedColumns, Maybe<string>>> {
  kind: EntityKind;
  table: TableReference;
  key: string;
  propertiesColumn?: Maybe<string>;
  properties?: Maybe<readonly string[]>;
  aliasTable?: Maybe<TableReference>;
  aliasKey?: Maybe<string>;
  canonicalKey?: Maybe<string>;
  /** Copies that entities are read from. */
  servedFrom?: Maybe<TableReference>;
  aliasServedFrom?: Maybe<TableReference>;
  /** Whether to go on though metrics, signals or transformations would not work any more. */
  allowBreaking?: Maybe<boolean>;
}

export const mappedFields = ['name', 'email', 'at', 'createdAt', 'userKey', 'organizationKey'] as const;
const momentTypes: readonly ValueType[] = ['date', 'timestamp', 'timestamptz'];
/** How many values of a text column are looked at to see whether it holds JSON. */
const samplesMax = 100;

/** What is said that this kind does not have, and what it needs that is not said. */
export function fieldProblems(input: MapEntityInput): Problem[] {
  const { kind } = input;
  const problems: Problem[] = [];
  const allowed = entityFields[kind];
  for (const field of mappedFields) {
    if (input[field] == null || allowed.includes(field)) continue;
    const message = `${kind} has no ${field}; it has: key, ${allowed.join(', ')}.`;
    problems.push({ code: 'INVALID', path: [field], message, fix: `Leave ${field} out.` });
  }
  if (kind === 'EVENT' && input.at == null) {
    const message = 'An event happens at a moment: say which column holds it.';
    problems.push({ code: 'REQUIRED', path: ['at'], message });
  }
  return problems;
}

/** What is wrong with the columns that are named. */
export async function columnProblems(
  deps: CatalogDeps,
  viewer: Viewer,
  input: MapEntityInput,
  table: CatalogedTable,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const check = (name: Maybe<string>, ...path: string[]) => {
    if (name == null) return undefined;
    const found = findColumn(table, name, path);
    if ('problem' in found) problems.push(found.problem);
    return 'type' in found ? found : undefined;
  };
  check(input.key, 'key');
  for (const field of mappedFields) {
    const column = check(input[field], field);
    if ((field !== 'at' && field !== 'createdAt') || !column || momentTypes.includes(column.type)) continue;
    const message = `The column "${input[field]}" is of type ${column.dataType}; ${field} takes a date or a timestamp.`;
    const fix = 'Name another column, or make one of it with a transformation.';
    problems.push({ code: 'INVALID', path: [field], message, fix });
  }
  const json = check(input.propertiesColumn, 'propertiesColumn');
  if (input.propertiesColumn == null) {
    for (const [index, name] of (input.properties ?? []).entries()) check(name, 'properties', String(index));
  } else if (json) {
    const problem = await jsonProblem(deps, viewer, table, { ...json, name: input.propertiesColumn });
    if (problem) problems.push(problem);
  }
  return problems;
}

/** What is wrong with a column for properties, as far as its first values tell. */
export async function jsonProblem(
  deps: CatalogDeps,
  viewer: Viewer,
  table: CatalogedTable,
  { name, type, dataType }: FoundColumn & { name: string },
  path: readonly string[] = ['propertiesColumn'],
): Promise<Problem | null> {
  const fix = 'Name a column of JSON, or leave it out: then the other columns are the properties.';
  if (type === 'json') return null;
  if (type !== 'text') {
    const message = `The column "${name}" is of type ${dataType}; propertiesColumn takes JSON, or text that holds JSON.`;
    return { code: 'INVALID', path, message, fix };
  }
  const { warehouse } = await deps.datastores.open(viewer.projectId, table.datastore.name);
  const column = nameSql(name);
  const some = sql`SELECT ${column} FROM ${tableSql(table)} WHERE ${column} IS NOT NULL LIMIT ${rawSql(String(samplesMax))}`;
  const { rows } = await warehouse.run(toStatement(some, warehouse.dialect));
  const wrong = rows.map(([value]) => String(value)).find((value) => !isJson(value));
  if (wrong === undefined) return null;
  return {
    code: 'INVALID',
    path,
    // Who may map tables need not be one who may read them.
    message: `The column "${name}" holds ${may(viewer, 'DATA_READ') ? quote(wrong) : 'a text'}, which is no JSON.`,
    fix,
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The table of aliases, of USER alone: all three of its fields, and in the datastore of the users. */
export async function findAlias(
  { store }: CatalogDeps,
  viewer: Viewer,
  input: MapEntityInput,
  users: CatalogedTable | null,
): Promise<{ table: CatalogedTable | null; problems: Problem[] }> {
  const names = ['aliasTable', 'aliasKey', 'canonicalKey'] as const;
  const given = names.filter((name) => input[name] != null);
  if (given.length === 0) return { table: null, problems: [] };
  if (input.kind !== 'USER') {
    const message = `${input.kind} has no aliases; only USER has.`;
    return { table: null, problems: given.map((name) => ({ code: 'INVALID', path: [name], message })) };
  }
  const problems: Problem[] = names
    .filter((name) => input[name] == null)
    .map((name) => ({
      code: 'REQUIRED',
      path: [name],
      message: `Aliases take aliasTable, aliasKey and canonicalKey together; ${name} is missing.`,
    }));
  if (input.aliasTable == null) return { table: null, problems };
  const found = await findTable(store.db, viewer.projectId, input.aliasTable, ['aliasTable']);
  if ('problem' in found) return { table: null, problems: [...problems, found.problem] };
  const { table } = found;
  for (const name of ['aliasKey', 'canonicalKey'] as const) {
    const column = input[name] == null ? null : findColumn(table, input[name], [name]);
    if (column && 'problem' in column) problems.push(column.problem);
  }
  if (users && users.datastore.id !== table.datastore.id) {
    const message = `${table.schema}.${table.name} lies in the datastore "${table.datastore.name}" and the users in "${users.datastore.name}": one statement cannot read both.`;
    problems.push({ code: 'INVALID', path: ['aliasTable'], message, fix: 'Sync both into one datastore.' });
  }
  return { table, problems };
}
