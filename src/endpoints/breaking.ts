import { defaults } from './declaration-schema.ts';
import type { Declaration, ParamDeclaration } from './declaration.ts';
import { isGraphqlEnum } from './names.ts';

/** A column of the answer, as its statement was described. */
export interface AnswerColumn {
  name: string;
  type: string;
}

/** What callers of an endpoint rely on. */
export interface Shape {
  declaration: Declaration;
  columns: readonly AnswerColumn[];
}

/**
 * What a change takes from those who call the version that is served, one line each: a call that worked would fail, or be
 * answered with other fields. Empty when nobody can notice but by what is new.
 */
export function breakingChanges(before: Shape, after: Shape): string[] {
  const [was, is] = [before.declaration, after.declaration];
  const changes: string[] = [];
  if (is.metadata.name !== was.metadata.name)
    changes.push(`its name is "${is.metadata.name}" instead of "${was.metadata.name}"`);
  if (is.route !== was.route) changes.push(`its route is ${is.route} instead of ${was.route}`);
  changes.push(...authChanges(was, is), ...pageChanges(was, is));
  for (const param of was.params ?? [])
    changes.push(
      ...paramChanges(
        param,
        is.params?.find(({ name }) => name === param.name),
      ),
    );
  for (const param of is.params ?? []) {
    const isNew = !was.params?.some(({ name }) => name === param.name);
    if (isNew && param.required) changes.push(`the new parameter "${param.name}" is required`);
  }
  for (const { name, type } of before.columns) {
    const column = after.columns.find((each) => each.name === name);
    if (!column) changes.push(`the column "${name}" is gone`);
    else if (column.type !== type) changes.push(`the column "${name}" is ${column.type} instead of ${type}`);
  }
  return changes;
}

function authChanges(was: Declaration, is: Declaration): string[] {
  if (was.auth?.public && !is.auth?.public) return ['callers have to sign in'];
  if (is.auth?.public) return [];
  const [had, has] = [was, is].map((of) => new Set(of.auth?.scopes ?? ['DATA_READ'])) as [
    Set<string>,
    Set<string>,
  ];
  return [...has].filter((scope) => !had.has(scope)).map((scope) => `callers need the scope ${scope}`);
}

function pageChanges(was: Declaration, is: Declaration): string[] {
  const [had, has] = [was.pagination, is.pagination];
  if (!had && has) return ['its rows come in pages'];
  if (had && !has) return ['its rows do not come in pages'];
  // Also with pages: CSV gives so many rows.
  const changes = rowChanges(was, is);
  if (!had || !has) return changes;
  if (had.key.join() !== has.key.join()) changes.push(`its pages are in the order of ${has.key.join(', ')}`);
  const [most, more] = [had, has].map(({ pageSizeMax = defaults.pageSizeMax }) => pageSizeMax) as [
    number,
    number,
  ];
  return more < most ? [...changes, `a page has ${more} rows at most instead of ${most}`] : changes;
}

function rowChanges(was: Declaration, is: Declaration): string[] {
  const [had, has] = [was, is].map(({ limits }) => limits?.rows ?? defaults.rows) as [number, number];
  return has < had ? [`an answer has ${has} rows at most instead of ${had}`] : [];
}

function paramChanges(was: ParamDeclaration, is: ParamDeclaration | undefined): string[] {
  const named = `the parameter "${was.name}"`;
  if (!is) return [`${named} is gone`];
  const kind = (of: ParamDeclaration) => `${of.list ? 'a list of ' : ''}${of.type}`;
  if (kind(was) !== kind(is)) return [`${named} is ${kind(is)} instead of ${kind(was)}`];
  const changes: string[] = [];
  if (is.required && !was.required) changes.push(`${named} is required`);
  if (JSON.stringify(is.default) !== JSON.stringify(was.default) && !is.required)
    changes.push(`${named} has another default`);
  const gone = (was.enum ?? []).filter((value) => is.enum && !is.enum.includes(value));
  if (is.enum && was.enum && isGraphqlEnum(is) !== isGraphqlEnum(was))
    changes.push(`${named} is ${isGraphqlEnum(is) ? 'an enum' : 'a text'} in GraphQL`);
  if (!is.enum && isGraphqlEnum(was)) changes.push(`${named} is a text in GraphQL`);
  if (is.enum && !was.enum) changes.push(`${named} takes ${is.enum.join(', ')} alone`);
  if (gone.length > 0) changes.push(`${named} no longer takes ${gone.join(', ')}`);
  if (is.pattern !== undefined && is.pattern !== was.pattern)
    changes.push(`${named} must match ${is.pattern}`);
  for (const low of ['minLength', 'minimum'] as const) {
    if ((is[low] ?? -Infinity) > (was[low] ?? -Infinity)) changes.push(`${named} has a higher ${low}`);
  }
  const mosts = {
    maxLength: was.type === 'string' ? defaults.maxLength : Infinity,
    maximum: Infinity,
    maxItems: was.list ? defaults.maxItems : Infinity,
  };
  for (const [high, otherwise] of Object.entries(mosts) as [keyof typeof mosts, number][]) {
    if ((is[high] ?? otherwise) < (was[high] ?? otherwise)) changes.push(`${named} has a lower ${high}`);
  }
  return changes;
}
