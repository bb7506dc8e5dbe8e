import type { Problem } from '#base/errors.ts';
import { type Mappings, propertyNames } from '#catalog/mappings.ts';
import { entityFields, entitySource, mappingOf } from '#catalog/row-source.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Dialect } from '#warehouse/dialect.ts';
import { joinSql, nameSql, rawSql, type Sql, sql, toText } from '#warehouse/sql.ts';
import { whatIsNoExpression } from './check-expression.ts';

/** Columns that are computed for each entity of a kind. */
export interface Formula {
  entity: EntityKind;
  columns: readonly FormulaColumn[];
}

export interface FormulaColumn {
  name: string;
  /** SQL over the fields and properties of the entity, by their names. */
  expression: string;
}

const columnsMax = 200;
const nameLengthMax = 128;
const expressionLengthMax = 10_000;

/** What is wrong with a formula before the engine is asked. */
export function checkFormula({ columns }: Formula): Problem[] {
  const problems: Problem[] = [];
  const invalid = (path: readonly (string | number)[], message: string, fix?: string): void => {
    problems.push({ code: 'INVALID', path: ['formula', 'columns', ...path.map(String)], message, fix });
  };
  if (columns.length === 0 || columns.length > columnsMax) {
    invalid([], `The formula has ${columns.length} columns; 1 to ${columnsMax} are allowed.`);
  }
  const taken = new Set(['key']);
  for (const [index, { name, expression }] of columns.entries()) {
    if (name.trim() === '' || name.length > nameLengthMax) {
      invalid(
        [index, 'name'],
        `A column's name has 1 to ${nameLengthMax} characters; this has ${name.length}.`,
      );
    } else if (taken.has(name.toLowerCase())) {
      const message = name.toLowerCase() === 'key' ? 'is the key of the entity' : 'is there already';
      invalid([index, 'name'], `A column "${name}" ${message}.`, 'Give it another name.');
    }
    taken.add(name.toLowerCase());
    const wrong =
      expression.length > expressionLengthMax
        ? `it has more than ${expressionLengthMax} characters`
        : whatIsNoExpression(expression);
    if (wrong !== undefined) {
      const fix = 'Write one SQL expression over fields and properties, such as "lower(plan)".';
      invalid([index, 'expression'], `The column "${name}" is no expression: ${wrong}.`, fix);
    }
  }
  return problems;
}

/** The SELECT of all entities of the kind with all that is known of each, which formulas compute from. */
export function entitySelect(mappings: Mappings, kind: EntityKind, dialect: Dialect): Sql {
  const source = entitySource(mappings, kind, dialect);
  const columns = namesOf(mappings, kind).map(
    ([name, path]) => sql`${source.column(path).sql} AS ${nameSql(name)}`,
  );
  const { propertiesColumn, properties } = mappingOf(mappings, kind);
  if (propertiesColumn !== null && properties === null) {
    columns.push(sql`${nameSql('r', propertiesColumn)} AS ${nameSql('properties')}`);
  }
  return sql`SELECT ${joinSql(columns)} FROM ${source.from()}`;
}

/** The SELECT of a formula, as text that a view can keep. Each expression stands alone in its parentheses. */
export function formulaSelect(from: Sql, columns: readonly FormulaColumn[], dialect: Dialect): string {
  const computed = columns.map(({ name, expression }) => sql`(${rawSql(expression)}) AS ${nameSql(name)}`);
  const all = joinSql([nameSql('key'), ...computed]);
  return toText(sql`SELECT ${all} FROM (${from}) AS ${nameSql('entity')}`, dialect);
}

/** Each name that an expression may use, and its path. Where a field and a property share one, it is the field. */
export function namesOf(mappings: Mappings, kind: EntityKind): [name: string, path: string][] {
  const mapping = mappingOf(mappings, kind);
  const fields = entityFields[kind].filter((field) => mapping.columns[field] !== undefined);
  const names: [string, string][] = ['key', ...fields].map((field) => [field, field]);
  const taken = new Set(names.map(([name]) => name.toLowerCase()));
  for (const property of propertyNames(mapping) ?? []) {
    if (taken.has(property.toLowerCase())) continue;
    taken.add(property.toLowerCase());
    names.push([property, `properties.${property}`]);
  }
  return names;
}
