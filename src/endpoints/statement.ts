import type { Dialect, ValueType } from '#warehouse/dialect.ts';
import { allOf, anyOf, joinSql, nameSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import type { ParamDeclaration, ParamType } from './declaration.ts';
import { paramsIn, parseQuery, type QueryPiece, withLists } from './parse-query.ts';
import type { ParamValues } from './read-params.ts';

/** A query that was cut at its parameters, as its engine takes it. */
export interface Prepared {
  pieces: readonly QueryPiece[];
  params: readonly ParamDeclaration[];
}

const valueTypes: Record<ParamType, ValueType> = {
  string: 'text',
  integer: 'integer',
  number: 'float',
  boolean: 'boolean',
  date: 'date',
  datetime: 'timestamptz',
  uuid: 'uuid',
};

/** Fails with BAD_USER_INPUT as parseQuery does, and for a list that stands where none can. */
export function prepare(query: string, params: readonly ParamDeclaration[]): Prepared {
  const lists = new Set(params.filter((param) => param.list).map((param) => param.name));
  return { pieces: withLists(query, parseQuery(query), lists), params };
}

/** The names that the query has and the declaration has not, and those it declares and never uses. */
export function unmatched({ pieces, params }: Prepared): { undeclared: string[]; unused: string[] } {
  const used = paramsIn(pieces);
  const declared = params.map((param) => param.name);
  return {
    undeclared: used.filter((name) => !declared.includes(name)),
    unused: declared.filter((name) => !used.includes(name)),
  };
}

/** The query with each value as a bind of its type, whatever the engine would have guessed. */
export function queryOf({ pieces, params }: Prepared, values: ParamValues, dialect: Dialect): Sql {
  return fill(pieces, params, (param) => {
    const value = values.get(param.name) ?? null;
    const type = valueTypes[param.type];
    if (!Array.isArray(value)) return dialect.cast(sql`${value}`, type);
    return dialect.listRows(value, type);
  });
}

/** The query with no value in any place, as text without binds: what describing it takes. */
export function emptyQuery({ pieces, params }: Prepared, dialect: Dialect): Sql {
  return fill(pieces, params, (param) => {
    const nothing = dialect.cast(rawSql('NULL'), valueTypes[param.type]);
    return param.list ? sql`(SELECT ${nothing} AS item LIMIT 0)` : nothing;
  });
}

function fill(
  pieces: readonly QueryPiece[],
  params: readonly ParamDeclaration[],
  put: (param: ParamDeclaration) => Sql,
): Sql {
  const byName = new Map(params.map((param) => [param.name, param]));
  return joinSql(
    pieces.map((piece) => (typeof piece === 'string' ? rawSql(piece) : put(byName.get(piece.param)!))),
    '',
  );
}

/** Where a page begins: the values of the key of the row beside it, as exact texts. */
export interface PageEdge {
  side: 'after' | 'before';
  key: readonly string[];
}

export interface KeyColumn {
  name: string;
  type: ValueType;
}

/**
 * The rows of a page of any SELECT and one more, in the order of its key columns, from the edge on. Rows before an edge come
 * in the opposite order. Rows without a key, which hasNoKey finds, stand last and on no page after the first. One statement,
 * whose text depends on nothing but which edge there is.
 */
export function pageOf(
  query: Sql,
  key: readonly KeyColumn[],
  edge: PageEdge | null,
  size: number,
  dialect: Dialect,
): Sql {
  const direction = rawSql(edge?.side === 'before' ? ' DESC NULLS FIRST' : ' NULLS LAST');
  const order = joinSql(key.map(({ name }) => sql`${nameSql(name)}${direction}`));
  const where = edge ? sql` WHERE ${beyond(key, edge, dialect)}` : rawSql('');
  return sql`SELECT * FROM ${inside(query)}${where} ORDER BY ${order} LIMIT ${rawSql(String(size + 1))}`;
}

/** A row whose key is NULL in some column, if there is one. */
export function hasNoKey(query: Sql, key: readonly KeyColumn[]): Sql {
  const none = anyOf(key.map(({ name }) => sql`${nameSql(name)} IS NULL`));
  return sql`SELECT 1 FROM ${inside(query)} WHERE ${none} LIMIT 1`;
}

/** A comment at its end must not hide what follows. */
function inside(query: Sql): Sql {
  return sql`(${query}\n) AS page`;
}

const timeTypes: ReadonlySet<ValueType> = new Set(['date', 'timestamp', 'timestamptz']);

/** (a, b) > (x, y) written out, and a >= x besides, by which an index finds the place. */
function beyond(key: readonly KeyColumn[], { side, key: values }: PageEdge, dialect: Dialect): Sql {
  const timeText = (text: string) => dialect.timeText?.(text) ?? text;
  const than = rawSql(side === 'after' ? '>' : '<');
  const columns = key.map(({ name, type }, index) => ({
    column: nameSql(name),
    value: dialect.cast(sql`${timeTypes.has(type) ? timeText(values[index]!) : values[index]!}`, type),
  }));
  const ways = columns.map(({ column, value }, index) =>
    allOf([
      ...columns.slice(0, index).map((equal) => sql`${equal.column} = ${equal.value}`),
      sql`${column} ${than} ${value}`,
    ]),
  );
  if (columns.length === 1) return ways[0]!;
  const [first] = columns as [(typeof columns)[number]];
  return allOf([sql`${first.column} ${than}= ${first.value}`, anyOf(ways)]);
}
