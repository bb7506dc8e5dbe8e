import { may } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { nearest } from '#base/nearest.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { nameSql, rawSql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { CatalogDeps } from './deps.ts';
import { findTable, listed, quote, type TableReference } from './find-table.ts';
import { type CatalogedTable, loadMappings, type MappedColumns, type Mapping } from './mappings.ts';
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
}

const fields = ['name', 'email', 'at', 'createdAt', 'userKey', 'organizationKey'] as const;
const momentTypes: readonly ValueType[] = ['date', 'timestamp', 'timestamptz'];
/** How many values of a text column are looked at to see whether it holds JSON. */
const samplesMax = 100;

/**
 * Says which table holds the entities of a kind and which columns are what, in place of what was said before. Fails with
 * InputError, with every problem at once.
 */
export async function mapEntity(deps: CatalogDeps, viewer: Viewer, input: MapEntityInput): Promise<Mapping> {
  const { db } = deps.store;
  const { projectId } = viewer;
  const found = await findTable(db, projectId, input.table, ['table']);
  const table = 'table' in found ? found.table : null;
  const alias = await findAlias(deps, viewer, input, table);
  const problems = [
    ...('problem' in found ? [found.problem] : []),
    ...fieldProblems(input),
    ...(table ? await columnProblems(deps, viewer, input, table) : []),
    ...alias.problems,
  ];
  if (table === null || problems.length > 0) throw new InputError(problems);

  const at = deps.now();
  const data = {
    tableId: table.id,
    key: input.key,
    columns: Object.fromEntries(
      fields.flatMap((field) => (input[field] == null ? [] : [[field, input[field]]])),
    ),
    propertiesColumn: input.propertiesColumn ?? null,
    properties: input.properties == null ? Prisma.DbNull : [...new Set(input.properties)],
    aliasTableId: alias.table?.id ?? null,
    aliasKey: input.aliasKey ?? null,
    canonicalKey: input.canonicalKey ?? null,
    updatedAt: at,
  };
  await db.entityMapping.upsert({
    where: { projectId_kind: { projectId, kind: input.kind } },
    create: { ...data, id: newId(), projectId, kind: input.kind, createdAt: at },
    update: data,
  });
  const mappings = await loadMappings(db, projectId);
  const mapping = mappings[input.kind];
  if (mapping) return mapping;
  throw inputError('CONFLICT', ['kind'], 'The mapping was taken away while it was made.', 'Map it again.');
}

/** Forgets which table holds the entities of a kind. Fails with InputError: nothing is mapped, or something needs it. */
export async function unmapEntity(deps: CatalogDeps, viewer: Viewer, kind: EntityKind): Promise<EntityKind> {
  const { db } = deps.store;
  const { projectId } = viewer;
  const made = [
    ...(await metricsOver(deps, projectId, kind)),
    ...(await formulasOver(deps, projectId, kind)),
  ];
  if (made.length > 0) {
    const message = `Of ${kind} are made: ${listed(made)}.`;
    throw inputError('IN_USE', ['kind'], message, 'Change or delete them first.');
  }
  const { count } = await db.entityMapping.deleteMany({ where: { projectId, kind } });
  if (count > 0) return kind;
  throw inputError('NOT_FOUND', ['kind'], `No table is mapped to ${kind} in this project.`);
}

async function metricsOver({ store }: CatalogDeps, projectId: string, kind: EntityKind): Promise<string[]> {
  const metrics = await store.db.metric.findMany({
    where: { projectId, deletedAt: null, kind: { in: ['SIMPLE', 'CONVERSION'] } },
    select: { name: true, kind: true, definition: true },
    orderBy: { name: 'asc' },
  });
  const isOver = ({ kind: metricKind, definition }: (typeof metrics)[number]) =>
    metricKind === 'CONVERSION'
      ? kind === 'EVENT'
      : (definition as { simple?: { entity?: unknown } }).simple?.entity === kind;
  return metrics.filter(isOver).map(({ name }) => `the metric "${name}"`);
}

async function formulasOver({ store }: CatalogDeps, projectId: string, kind: EntityKind): Promise<string[]> {
  const transformations = await store.db.transformation.findMany({
    where: { projectId, deletedAt: null, formula: { path: ['entity'], equals: kind } },
    select: { name: true },
    orderBy: { name: 'asc' },
  });
  return transformations.map(({ name }) => `the transformation "${name}"`);
}

/** What is said that this kind does not have, and what it needs that is not said. */
function fieldProblems(input: MapEntityInput): Problem[] {
  const { kind } = input;
  const problems: Problem[] = [];
  const allowed = entityFields[kind];
  for (const field of fields) {
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
async function columnProblems(
  deps: CatalogDeps,
  viewer: Viewer,
  input: MapEntityInput,
  table: CatalogedTable,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const check = (name: Maybe<string>, ...path: string[]) => {
    if (name == null) return undefined;
    const found = columnOf(table, name, path);
    if ('problem' in found) problems.push(found.problem);
    return 'type' in found ? found.type : undefined;
  };
  check(input.key, 'key');
  for (const field of fields) {
    const type = check(input[field], field);
    if ((field !== 'at' && field !== 'createdAt') || type === undefined || momentTypes.includes(type))
      continue;
    const message = `The column "${input[field]}" is of type ${dataTypeOf(table, input[field])}; ${field} takes a date or a timestamp.`;
    const fix = 'Name another column, or make one of it with a transformation.';
    problems.push({ code: 'INVALID', path: [field], message, fix });
  }
  const type = check(input.propertiesColumn, 'propertiesColumn');
  if (input.propertiesColumn == null) {
    for (const [index, name] of (input.properties ?? []).entries()) check(name, 'properties', String(index));
  } else if (type !== undefined) {
    const problem = await jsonProblem(deps, viewer, table, input.propertiesColumn, type);
    if (problem) problems.push(problem);
  }
  return problems;
}

function columnOf(
  table: CatalogedTable,
  name: string,
  path: readonly string[],
): { type: ValueType } | { problem: Problem } {
  const column = table.columns.find((each) => each.name === name);
  if (column) return { type: dialectOf(table.datastore.engine).valueType(column.dataType) };
  const names = table.columns.map((each) => each.name);
  const near = nearest(name, names);
  const meant = near ? ` Did you mean "${near}"?` : '';
  const message = `The table ${table.schema}.${table.name} has no column ${quote(name)}.${meant} It has: ${listed(names)}.`;
  const fix = 'Name one of these, or run refreshCatalog when the table has changed.';
  return { problem: { code: 'NOT_FOUND', path, message, fix } };
}

function dataTypeOf(table: CatalogedTable, name: Maybe<string>): string {
  return table.columns.find((each) => each.name === name)?.dataType ?? 'unknown';
}

/** What is wrong with a column for properties, as far as its first values tell. */
async function jsonProblem(
  deps: CatalogDeps,
  viewer: Viewer,
  table: CatalogedTable,
  name: string,
  type: ValueType,
): Promise<Problem | null> {
  const path = ['propertiesColumn'];
  const fix = 'Name a column of JSON, or leave it out: then the other columns are the properties.';
  if (type === 'json') return null;
  if (type !== 'text') {
    const message = `The column "${name}" is of type ${dataTypeOf(table, name)}; propertiesColumn takes JSON, or text that holds JSON.`;
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
async function findAlias(
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
    const column = input[name] == null ? null : columnOf(table, input[name], [name]);
    if (column && 'problem' in column) problems.push(column.problem);
  }
  if (users && users.datastore.id !== table.datastore.id) {
    const message = `${table.schema}.${table.name} lies in the datastore "${table.datastore.name}" and the users in "${users.datastore.name}": one statement cannot read both.`;
    problems.push({ code: 'INVALID', path: ['aliasTable'], message, fix: 'Sync both into one datastore.' });
  }
  return { table, problems };
}
