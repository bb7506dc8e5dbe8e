import { createHash } from 'node:crypto';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import type { Dialect } from '#warehouse/dialect.ts';
import { allOf, anyOf, joinSql, nameSql, rawSql, type Sql, sql } from '#warehouse/sql.ts';
import type { Relation, SourceColumn } from './relations.ts';

/** Columns that a difference's own tables have beside those of the stream. */
export const hashColumn = '_sluice_hash';
export const changeColumn = '_sluice_change';
/** True in rows that are gone: the stream's own, for destinations that mirror that. */
export const removedColumn = '_sluice_removed';

export interface Compared {
  relation: Relation;
  columns: readonly SourceColumn[];
  key: readonly string[];
}

/** A table of Sluice's own. */
export function ownSql(name: string): Sql {
  return nameSql(stagingSchema, name);
}

const of = (alias: string, name: string) => sql`${rawSql(alias)}.${nameSql(name)}`;

function sameKey(a: string, b: string, key: readonly string[]): Sql {
  return allOf(key.map((name) => sql`${of(a, name)} = ${of(b, name)}`));
}

/**
 * Every row that the stream has and the generation has not, or with another hash, whole; and of every row that the generation
 * has and the stream has not, the key. One pass over the stream. Without a generation all rows are added.
 */
export function changesSql(dialect: Dialect, compared: Compared, generation: string | null): Sql {
  const { relation, columns, key } = compared;
  const names = joinSql(columns.map(({ name }) => nameSql(name)));
  const now = sql`SELECT ${names}, ${hashSql(dialect, columns)} AS ${nameSql(hashColumn)} FROM ${relation.from} AS r`;
  if (generation === null) {
    return sql`SELECT n.*, 'A' AS ${nameSql(changeColumn)}, FALSE AS ${nameSql(removedColumn)} FROM (${now}) AS n`;
  }
  const [hash, was] = [of('n', hashColumn), of('w', hashColumn)];
  const values = columns.map(({ name }) =>
    key.includes(name)
      ? sql`coalesce(${of('n', name)}, ${of('w', name)}) AS ${nameSql(name)}`
      : sql`${of('n', name)} AS ${nameSql(name)}`,
  );
  return sql`SELECT ${joinSql(values)}, ${hash} AS ${nameSql(hashColumn)},
    CASE WHEN ${was} IS NULL THEN 'A' WHEN ${hash} IS NULL THEN 'R' ELSE 'C' END AS ${nameSql(changeColumn)},
    ${hash} IS NULL AS ${nameSql(removedColumn)}
    FROM (${now}) AS n FULL JOIN ${ownSql(generation)} AS w ON ${sameKey('n', 'w', key)}
    WHERE ${was} IS NULL OR ${hash} IS NULL OR ${hash} <> ${was}`;
}

/** Columns by their names, in whatever order they stand: another set of names gives other hashes. */
function hashSql(dialect: Dialect, columns: readonly SourceColumn[]): Sql {
  const sorted = columns.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const names = createHash('sha256')
    .update(JSON.stringify(sorted.map(({ name }) => name)))
    .digest('hex');
  const values = sorted.map(({ name, dataType }) => ({ value: nameSql(name), dataType }));
  // As a cast, since the engine must know the type of a bind.
  return dialect.rowHash([{ value: dialect.cast(sql`${names}`, 'text'), dataType: 'text' }, ...values]);
}

/** The generation that the changes lead to. */
export function generationSql({ key }: Compared, changes: string, before: string | null): Sql {
  const names = (alias: string) => joinSql([...key, hashColumn].map((name) => of(alias, name)));
  const come = sql`SELECT ${names('c')} FROM ${ownSql(changes)} AS c WHERE ${of('c', changeColumn)} <> 'R'`;
  if (before === null) return come;
  return sql`SELECT ${names('w')} FROM ${ownSql(before)} AS w
    WHERE NOT EXISTS (SELECT 1 FROM ${ownSql(changes)} AS c WHERE ${sameKey('c', 'w', key)})
    UNION ALL ${come}`;
}

/** How many changes there are of each kind. */
export function countSql(changes: string): Sql {
  const kind = nameSql(changeColumn);
  return sql`SELECT ${kind}, count(*) AS n FROM ${ownSql(changes)} GROUP BY ${kind}`;
}

/** Rows whose key is NULL in part, some of them. */
export function nullKeysSql({ key }: Compared, changes: string): Sql {
  const empty = anyOf(key.map((name) => sql`${nameSql(name)} IS NULL`));
  return sql`SELECT ${joinSql(key.map((name) => nameSql(name)))} FROM ${ownSql(changes)}
    WHERE ${nameSql(changeColumn)} <> 'R' AND ${empty} LIMIT 3`;
}

/** Keys that several changes have, some of them. */
export function twinsOfChangesSql({ key }: Compared, changes: string): Sql {
  const names = joinSql(key.map((name) => nameSql(name)));
  return sql`SELECT ${names} FROM ${ownSql(changes)} GROUP BY ${names} HAVING count(*) > 1 LIMIT 3`;
}

/** Keys of changed rows that the stream has several rows of, of which one may be as it was. */
export function twinsOfStreamSql({ key, relation }: Compared, changes: string): Sql {
  const names = joinSql(key.map((name) => of('n', name)));
  return sql`SELECT ${names} FROM ${relation.from} AS n
    WHERE EXISTS (SELECT 1 FROM ${ownSql(changes)} AS c
      WHERE ${of('c', changeColumn)} = 'C' AND ${sameKey('c', 'n', key)})
    GROUP BY ${names} HAVING count(*) > 1 LIMIT 3`;
}
