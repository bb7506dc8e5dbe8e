import type { Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { listed, quote } from './find-table.ts';
import type { CatalogedTable } from './mappings.ts';

/** What the values of a column are used as: cursors and ids hold keys as text, lists are sorted by keys, texts and moments. */
export type ColumnUse = 'key' | 'text' | 'moment' | 'json' | 'value';

/** A column that a copy must have. */
export interface NeededColumn {
  name: string;
  use: ColumnUse;
}

/** Types that every engine spells alike, so that a key is the same text wherever it is read. */
const keyTypes: readonly ValueType[] = ['integer', 'text', 'uuid', 'date', 'decimal', 'boolean'];

/** Types whose values are told apart, compared and answered alike. */
const alike: readonly (readonly ValueType[])[] = [
  ['integer', 'decimal', 'float'],
  ['timestamp', 'timestamptz'],
  ['text', 'uuid'],
];

const jsonTypes: readonly ValueType[] = ['json', 'text'];

/**
 * What keeps a table from answering in the place of another: each column that it lacks, or has with values of another kind.
 * None when whoever asks for these columns cannot tell the two apart but by their rows.
 */
export function copyProblems(
  original: CatalogedTable,
  copy: CatalogedTable,
  needed: readonly NeededColumn[],
  path: readonly string[],
): Problem[] {
  if (original.id === copy.id) {
    const message = `${nameOf(copy)} is the table itself, and no copy of it.`;
    return [{ code: 'INVALID', path, message, fix: 'Name a copy, or leave it out.' }];
  }
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const { name, use } of needed) {
    const id = `${use} ${name}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const problem = columnProblem(original, copy, { name, use }, path);
    if (problem) problems.push(problem);
  }
  return problems;
}

function columnProblem(
  original: CatalogedTable,
  copy: CatalogedTable,
  { name, use }: NeededColumn,
  path: readonly string[],
): Problem | null {
  const found = findColumn(copy, name, path);
  if ('problem' in found) {
    const fix = 'Copy this column too, or map fewer columns; run refreshCatalog when the copy has changed.';
    return { ...found.problem, fix };
  }
  const wanted = findColumn(original, name, path);
  // What the original lacks is said of the original.
  if ('problem' in wanted) return null;
  if (isAlike(use, wanted.type, found.type)) return null;
  const isKey = use === 'key' && wanted.type === found.type;
  const message = isKey
    ? `The column "${name}" is of type ${found.dataType}, whose values no two datastores spell alike: no copy can be told by it.`
    : `The column "${name}" is of type ${found.dataType} in ${nameOf(copy)} and of type ${wanted.dataType} in ${nameOf(original)}.`;
  return { code: 'INVALID', path, message, fix: 'Let the copy hold it with the same type.' };
}

function isAlike(use: ColumnUse, original: ValueType, copy: ValueType): boolean {
  if (use === 'json') return jsonTypes.includes(original) && jsonTypes.includes(copy);
  if (use === 'key') return original === copy && keyTypes.includes(original);
  if (original === copy) return true;
  if (use === 'text') return false;
  // Lists have a type of their own in few engines.
  if (use === 'value' && original === 'other') return copy === 'json' || copy === 'text';
  return alike.some((types) => types.includes(original) && types.includes(copy));
}

export interface FoundColumn {
  type: ValueType;
  /** The engine's own name of the type. */
  dataType: string;
}

/** The column of that name, or what is wrong with the name, at the path. */
export function findColumn(
  table: CatalogedTable,
  name: string,
  path: readonly string[],
): FoundColumn | { problem: Problem } {
  const column = table.columns.find((each) => each.name === name);
  if (column) {
    const { dataType } = column;
    return { type: dialectOf(table.datastore.engine).valueType(dataType), dataType };
  }
  const names = table.columns.map((each) => each.name);
  const near = nearest(name, names);
  const meant = near ? ` Did you mean "${near}"?` : '';
  const message = `The table ${nameOf(table)} has no column ${quote(name)}.${meant} It has: ${listed(names)}.`;
  const fix = 'Name one of these, or run refreshCatalog when the table has changed.';
  return { problem: { code: 'NOT_FOUND', path, message, fix } };
}

function nameOf({ schema, name }: CatalogedTable): string {
  return `${schema}.${name}`;
}
