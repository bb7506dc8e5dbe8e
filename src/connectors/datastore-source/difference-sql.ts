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
  dialect: Dialect;
  relation: Relation;
  columns: readonly SourceColumn[];
  key: readonly string[];
}

/** A table of Sluice's own. */
export function ownSql(name: string): Sql {
  return nameSql(stagingSchema, name);
}

const of = (alias: string, name: string) => sql`${rawSql(alias)}.${nameSql(name)}`;

/** A column of the key, equal where it arrives as an equal value: of texts that a collation takes for one, each is its own. */
function keyValue({ dialect, columns }: Compared, alias: string, name: string): Sql {
  const isText = columns.find((column) => column.name === name)?.type.kind === 'text';
  const value = of(alias, name);
  return isText && dialect.exactly ? dialect.exactly(value) : value;
}

function sameKey(a: string, b: string, compared: Compared): Sql {
  const same = (name: string) => sql`${keyValue(compared, a, name)} = ${keyValue(compared, b, name)}`;
  return allOf(compared.key.map(same));
}

/** What is remembered of a stream, in tables of Sluice's own. */
export interface Remembered {
  /** Key and hash of every row as they once were published. */
  generation: string;
  /** What has changed since, by key: the hash, and how; null for nothing. */
  since: string | null;
}

/** Key and hash of every row as last published. */
function rememberedSql(compared: Compared, { generation, since }: Remembered): Sql {
  if (since === null) return ownSql(generation);
  const names = (alias: string) => joinSql([...compared.key, hashColumn].map((name) => of(alias, name)));
  return sql`(SELECT ${names('g')} FROM ${ownSql(generation)} AS g
    WHERE NOT EXISTS (SELECT 1 FROM ${ownSql(since)} AS s WHERE ${sameKey('s', 'g', compared)})
    UNION ALL SELECT ${names('s')} FROM ${ownSql(since)} AS s WHERE ${of('s', changeColumn)} <> 'R')`;
}

/**
 * Every row that the stream has and what is remembered has not, or with another hash, whole; and of every row that is
 * remembered and that the stream has not, the key. Where nothing is remembered all rows are added.
 */
export function changesSql(compared: Compared, before: Remembered | null): Sql {
  const { dialect, relation, columns, key } = compared;
  const names = joinSql(columns.map(({ name }) => nameSql(name)));
  if (before === null) {
    return sql`SELECT ${names}, ${hashSql(dialect, columns)} AS ${nameSql(hashColumn)},
      'A' AS ${nameSql(changeColumn)}, FALSE AS ${nameSql(removedColumn)} FROM ${relation.from} AS r`;
  }
  const keys = joinSql(key.map((name) => nameSql(name)));
  const read = relation.isQuickTwice ? keys : names;
  const now = sql`SELECT ${read}, ${hashSql(dialect, columns)} AS ${nameSql(hashColumn)} FROM ${relation.from} AS r`;
  const [hash, was] = [of('n', hashColumn), of('w', hashColumn)];
  const found = sql`FROM (${now}) AS n FULL JOIN ${rememberedSql(compared, before)} AS w ON ${sameKey('n', 'w', compared)}
    WHERE ${was} IS NULL OR ${hash} IS NULL OR ${hash} <> ${was}`;
  const keyOf = (name: string) => sql`coalesce(${of('n', name)}, ${of('w', name)}) AS ${nameSql(name)}`;
  const how = sql`${hash} AS ${nameSql(hashColumn)},
    CASE WHEN ${was} IS NULL THEN 'A' WHEN ${hash} IS NULL THEN 'R' ELSE 'C' END AS ${nameSql(changeColumn)},
    ${hash} IS NULL AS ${nameSql(removedColumn)}`;
  const valuesOf = (of: (name: string) => Sql) =>
    joinSql(columns.map(({ name }) => (key.includes(name) ? of(name) : sql`n.${nameSql(name)}`)));
  if (!relation.isQuickTwice) return sql`SELECT ${valuesOf(keyOf)}, ${how} ${found}`;
  // Joined whole, the rows of a large table would be put on disk: their keys are joined, and then the changed ones fetched.
  const own = joinSql([hashColumn, changeColumn, removedColumn].map((name) => of('d', name)));
  return sql`WITH d AS MATERIALIZED (SELECT ${joinSql(key.map(keyOf))}, ${how} ${found})
    SELECT ${valuesOf((name) => of('d', name))}, ${own}
    FROM d LEFT JOIN ${relation.from} AS n ON ${sameKey('d', 'n', compared)}`;
}

/** Key and hash of every row of the stream, as a first generation holds them. */
export function keysSql({ dialect, relation, columns, key }: Compared): Sql {
  const keys = joinSql(key.map((name) => nameSql(name)));
  return sql`SELECT ${keys}, ${hashSql(dialect, columns)} AS ${nameSql(hashColumn)} FROM ${relation.from} AS r`;
}

/** Columns by their names, in whatever order they stand: another set of names gives other hashes. */
function hashSql(dialect: Dialect, columns: readonly SourceColumn[]): Sql {
  const sorted = columns.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const names = createHash('sha256')
    .update(JSON.stringify(sorted.map(({ name }) => name)))
    .digest('hex');
  const values = sorted.map(({ name, dataType }) => ({ value: nameSql(name), dataType }));
  // As a cast, since the engine must know the type of a bind.
  const constant = {
    value: dialect.cast(sql`${names}`, 'text'),
    dataType: 'text',
    isConstant: true as const,
  };
  return dialect.rowHash([constant, ...values]);
}

/** A generation anew: what was remembered, and the changes on top of it. */
export function generationSql(compared: Compared, changes: string, before: Remembered | null): Sql {
  const { key } = compared;
  const names = (alias: string) => joinSql([...key, hashColumn].map((name) => of(alias, name)));
  const come = sql`SELECT ${names('c')} FROM ${ownSql(changes)} AS c WHERE ${of('c', changeColumn)} <> 'R'`;
  if (before === null) return come;
  return sql`SELECT ${names('w')} FROM ${rememberedSql(compared, before)} AS w
    WHERE NOT EXISTS (SELECT 1 FROM ${ownSql(changes)} AS c WHERE ${sameKey('c', 'w', compared)})
    UNION ALL ${come}`;
}

/** What has changed since the generation: what had before, and the changes on top of it. */
export function sinceSql(compared: Compared, changes: string, since: string | null): Sql {
  const names = (alias: string) =>
    joinSql([...compared.key, hashColumn, changeColumn].map((name) => of(alias, name)));
  const come = sql`SELECT ${names('c')} FROM ${ownSql(changes)} AS c`;
  if (since === null) return come;
  return sql`SELECT ${names('s')} FROM ${ownSql(since)} AS s
    WHERE NOT EXISTS (SELECT 1 FROM ${ownSql(changes)} AS c WHERE ${sameKey('c', 's', compared)})
    UNION ALL ${come}`;
}

/** How many changes there are of each kind. */
export function countSql(changes: string): Sql {
  const kind = nameSql(changeColumn);
  return sql`SELECT ${kind}, count(*) AS n FROM ${ownSql(changes)} GROUP BY ${kind}`;
}

/** Keys that are NULL in part, some of them, in a table of changes or a generation: none that is remembered is. */
export function nullKeysSql({ key }: Compared, table: string): Sql {
  const empty = anyOf(key.map((name) => sql`${nameSql(name)} IS NULL`));
  return sql`SELECT ${joinSql(key.map((name) => nameSql(name)))} FROM ${ownSql(table)} WHERE ${empty} LIMIT 3`;
}

/** Keys that several rows of changes or of a generation have, some of them. */
export function twinsSql(compared: Compared, table: string): Sql {
  const values = joinSql(compared.key.map((name) => keyValue(compared, 'c', name)));
  return sql`SELECT ${values} FROM ${ownSql(table)} AS c GROUP BY ${values} HAVING count(*) > 1 LIMIT 3`;
}

/** Keys of changed rows that the stream has several rows of, of which one may be as it was. */
export function twinsOfStreamSql(compared: Compared, changes: string): Sql {
  const { key, relation } = compared;
  const values = joinSql(key.map((name) => keyValue(compared, 'n', name)));
  return sql`SELECT ${values} FROM ${relation.from} AS n
    WHERE EXISTS (SELECT 1 FROM ${ownSql(changes)} AS c
      WHERE ${of('c', changeColumn)} = 'C' AND ${sameKey('c', 'n', compared)})
    GROUP BY ${values} HAVING count(*) > 1 LIMIT 3`;
}
