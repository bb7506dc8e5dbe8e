import { typeName } from '#connectors/column-type.ts';
import type { ColumnType, StreamPlan } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { allOf, anyOf, joinSql, nameSql, rawSql, type Sql, sql, tableSql } from '#warehouse/sql.ts';
import type { TableName } from '#warehouse/warehouse.ts';
import type { FilePlan, TargetColumn } from './cloud-file.ts';
import type { CloudLoader, EngineTable } from './cloud-loader.ts';

/** What is to be published, and where. */
export interface Publishing {
  loader: CloudLoader;
  target: TableName;
  /** As the target was found; null when nothing is there. */
  existing: EngineTable | null;
  /** The target's from now on. */
  columns: readonly TargetColumn[];
  versions: FilePlan['versions'];
  /** Tables that hold the parts, in the order of the parts' ids. */
  parts: readonly TableName[];
  primaryKey: readonly string[];
  cursorField: string | null;
  ties: StreamPlan['ties'];
  /** The value of the ties, as the file would hold it. */
  tie: string | null;
}

const namesOf = ({ columns }: Publishing) => joinSql(columns.map(({ name }) => nameSql(name)));
/** What the rows of staged tables have besides the target's columns: where a version came, and whether it removes its key. */
const [partNumber, order, removed] = ['part', 'order', 'removed'].map((name) =>
  rawSql(`_sluice_${name}`),
) as [Sql, Sql, Sql];

/** The target's columns, made of those of a staged table. */
function valuesOf({ columns }: Publishing): Sql {
  const values = columns.map(({ name, engineType, from }) =>
    from ? sql`${from.read(nameSql(from.name))} AS ${nameSql(name)}` : nullOf(name, engineType),
  );
  return joinSql(values);
}

const nullOf = (name: string, engineType: string) =>
  sql`CAST(NULL AS ${rawSql(engineType)}) AS ${nameSql(name)}`;

/** Rows of all parts; of a relation without any when there are no parts. */
function fromParts(
  { parts, columns }: Publishing,
  values: (part: number) => Sql,
  more: readonly Sql[] = [],
): Sql {
  const each = parts.map((part, at) => sql`SELECT ${values(at)} FROM ${tableSql(part)}`);
  if (each.length > 0) return joinSql(each, ' UNION ALL ');
  const nulls = columns.map(({ name, engineType }) => nullOf(name, engineType));
  return sql`SELECT ${joinSql([...nulls, ...more])} FROM (SELECT 1 AS one) AS nothing WHERE FALSE`;
}

/** All rows of all parts. */
export function allRows(publishing: Publishing): Sql {
  return fromParts(publishing, () => valuesOf(publishing));
}

/** The same with what tells versions apart. */
function staged(publishing: Publishing): Sql {
  const { versions } = publishing;
  if (versions === null) throw new Error('The parts were staged without their versions.');
  const values = (part: number) =>
    sql`${valuesOf(publishing)}, ${rawSql(String(part))} AS ${partNumber}, ${nameSql(versions.order)} AS ${order}, ${nameSql(versions.removed)} AS ${removed}`;
  return fromParts(publishing, values, [
    sql`0 AS ${partNumber}`,
    sql`0 AS ${order}`,
    sql`FALSE AS ${removed}`,
  ]);
}

/** How many rows of the parts have NULL in their key. */
export function keylessRows(publishing: Publishing): Sql {
  const empty = anyOf(publishing.primaryKey.map((name) => sql`${keyOf(publishing, name)} IS NULL`));
  return sql`SELECT COUNT(*) FROM (${staged(publishing)}) AS s WHERE ${empty}`;
}

/** How many keys the parts have. */
export function countKeys(publishing: Publishing): Sql {
  return sql`SELECT COUNT(*) FROM (${lastVersions(publishing)}) AS v`;
}

/**
 * One row a key: that with the highest cursor, or else the one that came last, with the column that says whether it removes
 * its key.
 */
export function lastVersions(publishing: Publishing): Sql {
  const { columns, primaryKey, cursorField } = publishing;
  const cursor = columns.find(
    ({ name }) => cursorField !== null && columnKey(name) === columnKey(cursorField),
  );
  const newest = [
    ...(cursor ? [sql`${nameSql(cursor.name)} DESC NULLS LAST`] : []),
    sql`${partNumber} DESC`,
    sql`${order} DESC`,
  ];
  const keys = primaryKey.map((name) => comparableKey(publishing, name));
  const version = sql`ROW_NUMBER() OVER (PARTITION BY ${joinSql(keys)} ORDER BY ${joinSql(newest)})`;
  const kept = sql`${namesOf(publishing)}, ${removed}`;
  return sql`SELECT ${kept} FROM (SELECT ${kept}, ${version} AS _sluice_version FROM (${staged(publishing)}) AS s) AS n WHERE _sluice_version = 1`;
}

/** Rows of last versions that are there to stay. */
export function keptVersions(publishing: Publishing): Sql {
  return sql`SELECT ${namesOf(publishing)} FROM (${lastVersions(publishing)}) AS v WHERE NOT ${removed}`;
}

/** All rows; of those with the last cursor value as many fewer as are in the target equal in all columns. */
export function newRows(publishing: Publishing): Sql {
  const { loader, columns, ties, tie, target, existing } = publishing;
  const column = ties && columns.find(({ name }) => columnKey(name) === columnKey(ties.column));
  if (!column || tie === null || existing === null) return allRows(publishing);
  const held = new Map(existing.columns.map((each) => [columnKey(each.name), each]));
  if (!held.has(columnKey(column.name))) return allRows(publishing);
  const travel = loader.travel(column.type);
  const value = travel.read(sql`CAST(${tie} AS ${rawSql(travel.staged)})`);
  const isTie = sql`${nameSql(column.name)} = ${value}`;
  const now = columns.map(({ name, type }, at) => keyColumn(loader.comparable(nameSql(name), type), at));
  const was = columns.map(({ name, type, engineType }, at) => {
    const of = held.get(columnKey(name));
    const same = of
      ? asType(loader, nameSql(of.name), of.type, type)
      : sql`CAST(NULL AS ${rawSql(engineType)})`;
    return keyColumn(loader.comparable(same, type), at);
  });
  const keys = joinSql(columns.map((_, at) => rawSql(`_sluice_k${at}`)));
  const equal = columns.map((_, at) =>
    loader.dialect.same(rawSql(`n._sluice_k${at}`), rawSql(`h._sluice_k${at}`)),
  );
  const names = namesOf(publishing);
  return sql`SELECT ${names} FROM (${allRows(publishing)}) AS a WHERE NOT COALESCE(${isTie}, FALSE)
    UNION ALL SELECT ${joinSql(columns.map(({ name }) => sql`n.${nameSql(name)}`))} FROM (
      SELECT ${names}, ${keys}, ROW_NUMBER() OVER (PARTITION BY ${keys} ORDER BY _sluice_k0) AS _sluice_nth
      FROM (SELECT ${names}, ${joinSql(now)} FROM (${allRows(publishing)}) AS b WHERE ${isTie}) AS c) AS n
    LEFT JOIN (SELECT ${keys}, COUNT(*) AS _sluice_held FROM (SELECT ${joinSql(was)} FROM ${tableSql(target)} WHERE ${isTie}) AS w
      GROUP BY ${keys}) AS h ON ${allOf(equal)}
    WHERE n._sluice_nth > COALESCE(h._sluice_held, 0)`;
}

const keyColumn = (value: Sql, at: number) => sql`${value} AS ${rawSql(`_sluice_k${at}`)}`;

/** The target's rows in its new columns; with a condition on them under the name `was`. */
export function oldRows(publishing: Publishing, where: Sql = rawSql('TRUE')): Sql {
  const { loader, existing, columns, target } = publishing;
  const held = new Map((existing?.columns ?? []).map((each) => [columnKey(each.name), each]));
  const values = columns.map(({ name, type, engineType }) => {
    const of = held.get(columnKey(name));
    return of
      ? sql`${asType(loader, sql`was.${nameSql(of.name)}`, of.type, type)} AS ${nameSql(name)}`
      : nullOf(name, engineType);
  });
  return sql`SELECT ${joinSql(values)} FROM ${tableSql(target)} AS was WHERE ${where}`;
}

/** The target's rows that the parts have no other version of, and the versions that stay. */
export function mergedRows(publishing: Publishing): Sql {
  const same = publishing.primaryKey.map((name) => sameKey(publishing, name, 'was', 'now'));
  const replaced = sql`EXISTS (SELECT 1 FROM (${staged(publishing)}) AS now WHERE ${allOf(same)})`;
  return sql`${oldRows(publishing, sql`NOT ${replaced}`)} UNION ALL ${keptVersions(publishing)}`;
}

/** Adds the new rows. */
export function insertSql(publishing: Publishing): Sql {
  return sql`INSERT INTO ${tableSql(publishing.target)} (${namesOf(publishing)}) ${newRows(publishing)}`;
}

/** Replaces, adds and removes by key. */
export function mergeSql(publishing: Publishing): Sql {
  const { columns, primaryKey, target } = publishing;
  const same = primaryKey.map((name) => sameKey(publishing, name, 'was', 'now'));
  const set = columns.map(({ name }) => sql`${nameSql(name)} = now.${nameSql(name)}`);
  const values = columns.map(({ name }) => sql`now.${nameSql(name)}`);
  const isRemoved = sql`now.${removed}`;
  return sql`MERGE INTO ${tableSql(target)} AS was USING (${lastVersions(publishing)}) AS now ON ${allOf(same)}
    WHEN MATCHED AND ${isRemoved} THEN DELETE
    WHEN MATCHED THEN UPDATE SET ${joinSql(set)}
    WHEN NOT MATCHED AND NOT ${isRemoved} THEN INSERT (${namesOf(publishing)}) VALUES (${joinSql(values)})`;
}

function keyOf({ columns }: Publishing, key: string): Sql {
  return nameSql(columns.find(({ name }) => columnKey(name) === columnKey(key))?.name ?? key);
}

/** A column of the key, as windows take it. */
function comparableKey(publishing: Publishing, key: string): Sql {
  const of = publishing.columns.find(({ name }) => columnKey(name) === columnKey(key));
  const value = keyOf(publishing, key);
  return of ? publishing.loader.comparable(value, of.type) : value;
}

/** Equal keys; types differ only while the target is being rewritten. */
function sameKey(publishing: Publishing, key: string, left: string, right: string): Sql {
  const { existing, loader, columns } = publishing;
  const to = columns.find(({ name }) => columnKey(name) === columnKey(key));
  const of = existing?.columns.find(({ name }) => columnKey(name) === columnKey(key));
  const held = sql`${rawSql(left)}.${nameSql(of?.name ?? key)}`;
  const arriving = sql`${rawSql(right)}.${nameSql(to?.name ?? key)}`;
  return sql`${of && to ? asType(loader, held, of.type, to.type) : held} = ${arriving}`;
}

function asType(loader: CloudLoader, value: Sql, from: ColumnType, to: ColumnType): Sql {
  return typeName(from) === typeName(to) ? value : loader.convert(value, from, to);
}
