import { AppError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import { allOf, anyOf, joinSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import { type Compared, compared, keyList, keyValue, momentBind, textSql } from './compare-sql.ts';
import type { RowSource, SourceColumn } from './row-source.ts';

type Maybe<T> = T | null | undefined;

export interface StringFilter {
  eq?: Maybe<string>;
  neq?: Maybe<string>;
  in?: Maybe<readonly string[]>;
  nin?: Maybe<readonly string[]>;
  contains?: Maybe<string>;
  startsWith?: Maybe<string>;
  isNull?: Maybe<boolean>;
}

export interface DateTimeFilter {
  gte?: Maybe<Date>;
  gt?: Maybe<Date>;
  lte?: Maybe<Date>;
  lt?: Maybe<Date>;
}

/** Null as the value of eq and neq means that there is none; everywhere else it is the same as left out. */
export interface PropertyFilter {
  property: string;
  eq?: Json | undefined;
  neq?: Json | undefined;
  in?: Maybe<readonly Json[]>;
  gt?: Json | undefined;
  gte?: Json | undefined;
  lt?: Json | undefined;
  lte?: Json | undefined;
  contains?: Maybe<string>;
  isNull?: Maybe<boolean>;
}

/** A filter of any kind of entity: its fields, its properties, and filters joined. */
export interface EntityFilter {
  key?: Maybe<StringFilter>;
  name?: Maybe<StringFilter>;
  email?: Maybe<StringFilter>;
  userKey?: Maybe<StringFilter>;
  organizationKey?: Maybe<StringFilter>;
  createdAt?: Maybe<DateTimeFilter>;
  at?: Maybe<DateTimeFilter>;
  properties?: Maybe<readonly PropertyFilter[]>;
  and?: Maybe<readonly EntityFilter[]>;
  or?: Maybe<readonly EntityFilter[]>;
  not?: Maybe<EntityFilter>;
}

/** Filters nested deeper than this are refused, before an engine runs out of room for them. */
const depthMax = 20;

/** More filters than this in one are refused, and more values in one list of it. */
const filtersMax = 1_000;
const valuesMax = 1_000;

const stringFields = ['key', 'name', 'email', 'userKey', 'organizationKey'] as const;
const timeFields = ['createdAt', 'at'] as const;

/** The condition of a filter on the rows of a source. All that is named must hold. Fails with BAD_USER_INPUT. */
export function entityFilterSql(source: RowSource, filter: Maybe<EntityFilter>): Sql {
  let left = filtersMax;
  return filterSql(source, filter, 1, (count) => {
    left -= count;
    if (left < 0) throw tooManyFilters();
  });
}

function filterSql(
  source: RowSource,
  filter: Maybe<EntityFilter>,
  depth: number,
  take: (count: number) => void,
): Sql {
  if (filter == null) return allOf([]);
  take(1 + (filter.properties?.length ?? 0));
  if (depth > depthMax) {
    throw new AppError('BAD_USER_INPUT', `The filter has filters in filters more than ${depthMax} deep.`, {
      fix: 'Join them with fewer "and", "or" and "not".',
    });
  }
  const inner = (each: EntityFilter) => filterSql(source, each, depth + 1, take);
  const conditions: Sql[] = [];
  for (const field of stringFields) {
    const asked = filter[field];
    if (asked != null) conditions.push(...stringConditions(source, field, asked));
  }
  for (const field of timeFields) {
    const asked = filter[field];
    if (asked != null) conditions.push(...timeConditions(source, field, asked));
  }
  if (filter.properties != null) conditions.push(propertyFilterSql(source, filter.properties));
  if (filter.and != null) conditions.push(allOf(filter.and.map(inner)));
  // None of no alternatives holds; an empty list is taken as one that was left out, as "and" takes it.
  if (filter.or != null && filter.or.length > 0) {
    conditions.push(anyOf(filter.or.map(inner)));
  }
  if (filter.not != null) conditions.push(not(inner(filter.not)));
  return allOf(conditions);
}

/** The condition of filters on properties: all must hold. Fails with BAD_USER_INPUT. */
export function propertyFilterSql(source: RowSource, filters: readonly PropertyFilter[]): Sql {
  if (filters.length > filtersMax) throw tooManyFilters();
  return allOf(filters.flatMap((filter) => propertyConditions(source, filter)));
}

function tooManyFilters(): AppError {
  return new AppError('BAD_USER_INPUT', `The filter has more than ${filtersMax} filters in it.`, {
    fix: 'Give many values of one thing to its "in".',
  });
}

function propertyConditions(source: RowSource, filter: PropertyFilter): Sql[] {
  const { dialect } = source;
  const column = source.column(filter.property);
  const conditions: Sql[] = [];
  const sides = (value: Json) => compared(dialect, column, filter.property, value);
  const order = (operator: string, asked: Json | undefined) => {
    if (asked == null) return;
    const { column: left, value } = sides(asked);
    conditions.push(sql`${left} ${rawSql(operator)} ${value}`);
  };
  if (filter.eq === null) conditions.push(sql`${column.sql} IS NULL`);
  else order('=', filter.eq);
  if (filter.neq === null) conditions.push(sql`${column.sql} IS NOT NULL`);
  else if (filter.neq !== undefined) {
    // What has no value is not equal to any.
    const { column: left, value } = sides(filter.neq);
    conditions.push(not(sql`${left} = ${value}`));
  }
  order('>', filter.gt);
  order('>=', filter.gte);
  order('<', filter.lt);
  order('<=', filter.lte);
  if (filter.in != null) conditions.push(isOneOf(filter.property, filter.in, sides));
  if (filter.contains != null) conditions.push(dialect.contains(textSql(dialect, column), filter.contains));
  if (filter.isNull != null) conditions.push(isNull(column, filter.isNull));
  if (conditions.length > 0) return conditions;
  throw new AppError('BAD_USER_INPUT', `The filter on "${filter.property}" asks for nothing.`, {
    fix: 'Give it eq, neq, in, gt, gte, lt, lte, contains or isNull.',
  });
}

/** Values of one kind are one list, so that a long one is no deep expression. */
function isOneOf(property: string, values: readonly Json[], sides: (value: Json) => Compared): Sql {
  if (values.length > valuesMax) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The filter on "${property}" has ${values.length} values in "in"; at most ${valuesMax} are allowed.`,
    );
  }
  const lists = [
    values.filter((value) => typeof value === 'number'),
    values.filter((value) => typeof value !== 'number'),
  ].filter((list) => list.length > 0);
  return anyOf(
    lists.map((list) => {
      const compared = list.map(sides);
      return sql`${compared[0]!.column} IN (${joinSql(compared.map(({ value }) => value))})`;
    }),
  );
}

function stringConditions(source: RowSource, field: string, filter: StringFilter): Sql[] {
  const { dialect } = source;
  const column = source.column(field);
  const conditions: Sql[] = [];
  const isIn = (keys: readonly string[]) => {
    const list = keyList(dialect, column, keys);
    return sql`${list.column} IN ${list.rows}`;
  };
  const is = (key: string) => {
    const sides = keyValue(dialect, column, key);
    return sides ? sql`${sides.column} = ${sides.value}` : anyOf([]);
  };
  if (filter.eq != null) conditions.push(is(filter.eq));
  if (filter.neq != null) conditions.push(not(is(filter.neq)));
  if (filter.in != null) conditions.push(isIn(filter.in));
  if (filter.nin != null) conditions.push(not(isIn(filter.nin)));
  if (filter.contains != null) conditions.push(dialect.contains(textSql(dialect, column), filter.contains));
  if (filter.startsWith != null) {
    conditions.push(dialect.startsWith(textSql(dialect, column), filter.startsWith));
  }
  if (filter.isNull != null) conditions.push(isNull(column, filter.isNull));
  return conditions;
}

function timeConditions(source: RowSource, field: string, filter: DateTimeFilter): Sql[] {
  const column = source.column(field);
  const conditions: Sql[] = [];
  const order = (operator: string, moment: Maybe<Date>) => {
    if (moment == null) return;
    conditions.push(
      sql`${column.sql} ${rawSql(operator)} ${momentBind(source.dialect, column.type, moment)}`,
    );
  };
  order('>=', filter.gte);
  order('>', filter.gt);
  order('<=', filter.lte);
  order('<', filter.lt);
  return conditions;
}

/** Holds wherever the condition does not, also where it is unknown. */
function not(condition: Sql): Sql {
  return sql`(NOT coalesce(${condition}, FALSE))`;
}

function isNull(column: SourceColumn, asked: boolean): Sql {
  return asked ? sql`${column.sql} IS NULL` : sql`${column.sql} IS NOT NULL`;
}
