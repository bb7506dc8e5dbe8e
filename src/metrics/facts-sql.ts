import { propertyFilterSql } from '#catalog/filter-sql.ts';
import type { RowSource, SourceColumn } from '#catalog/row-source.ts';
import { allOf, joinSql, nameSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import { conditionSql, groupColumn, keySql, measuredSql, rangesSql, timeOf } from './leaf-sql.ts';
import type { Cut, Range, Top, Unit } from './plan.ts';

/** A statement and the tables that it reads. Its columns: period unless all rows are of one, rank with a limit, d0…, m0…. */
export interface UnitSql {
  sql: Sql;
  tableIds: string[];
}

/** What statements over the rows of a unit have in common. */
export interface Facts {
  source: RowSource;
  time: SourceColumn;
  /** Period, rank and dimensions, as far as the unit has them. */
  groups: { sql: Sql; name: string }[];
  /** Range and filter; conditions of the measures come on top. */
  where: Sql[];
  /** What follows FROM. To be called when all columns have been asked for. */
  from(): Sql;
  /** Common table expressions that `from` needs, each as name AS (…). */
  before: Sql[];
  tableIds(): string[];
}

/** Opens the rows of a unit: which count, and in which group. */
export function openFacts({ rows, by, filter, cut, top }: Unit): Facts {
  const source = rows.open();
  const time = timeOf(source, rows);
  const dimensions = by.map((path) => groupColumn(source, path));
  const key = keySql(source.dialect, time, cut);
  const largest = top && topSql(top, by, filter);
  const groups: { sql: Sql; name: string }[] = [];
  if (key) groups.push({ sql: key, name: 'period' });
  if (largest) groups.push({ sql: nameSql('top', 'rank'), name: 'rank' });
  for (const [at, { sql: own }] of dimensions.entries()) {
    groups.push({ sql: largest ? nameSql('top', `d${at}`) : own, name: `d${at}` });
  }
  return {
    source,
    time,
    groups,
    where: [
      rangesSql(source.dialect, time, rangesOf(cut)),
      ...(filter.length > 0 ? [propertyFilterSql(source, filter)] : []),
    ],
    from: () => (largest ? sql`${source.from()} ${topJoin(source, largest, dimensions)}` : source.from()),
    before: largest ? [sql`${nameSql('top')} AS (${largest.sql})`] : [],
    tableIds: () => [...source.tableIds(), ...(largest?.tableIds ?? [])],
  };
}

/** `WITH …` and a space, or nothing. */
export function withSql(expressions: readonly Sql[]): Sql {
  return expressions.length === 0 ? rawSql('') : sql`WITH ${joinSql(expressions)} `;
}

/** SELECT of columns by names, FROM, WHERE, and GROUP BY the first so many. */
export function selectSql(parts: {
  columns: readonly { sql: Sql; name: string }[];
  from: Sql;
  where?: readonly Sql[];
  groups: number;
}): Sql {
  const columns = parts.columns.map((column) => sql`${column.sql} AS ${nameSql(column.name)}`);
  const where = parts.where?.length ? sql` WHERE ${joinSql(parts.where, ' AND ')}` : rawSql('');
  const places = Array.from({ length: parts.groups }, (_, at) => String(at + 1)).join(', ');
  const groupBy = parts.groups > 0 ? rawSql(` GROUP BY ${places}`) : rawSql('');
  return sql`SELECT ${joinSql(columns)} FROM ${parts.from}${where}${groupBy}`;
}

function rangesOf(cut: Cut): readonly Range[] {
  return cut.type === 'windows' ? [cut] : cut.ranges;
}

interface TopSql {
  sql: Sql;
  tableIds: string[];
  columns: SourceColumn[];
}

/** The largest groups with their ranks from 1: by the measure, and by their dimensions where that is the same. */
function topSql(top: Top, by: Unit['by'], filter: Unit['filter']): TopSql {
  const { leaf, limit, range } = top;
  const source = leaf.rows.open();
  const time = timeOf(source, leaf.rows);
  const columns = by.map((path) => groupColumn(source, path));
  const names = by.map((_, at) => `d${at}`);
  const condition = conditionSql(source, leaf.condition);
  const size = source.dialect.aggregate({
    aggregation: leaf.aggregation,
    value: measuredSql(source, leaf),
    percentile: leaf.percentile ?? undefined,
  });
  const where = [rangesSql(source.dialect, time, [range])];
  if (filter.length > 0) where.push(propertyFilterSql(source, filter));
  if (condition) where.push(condition);
  const sizes = selectSql({
    columns: [
      ...columns.map((column, at) => ({ sql: column.sql, name: `d${at}` })),
      { sql: size, name: 'size' },
    ],
    from: source.from(),
    where,
    groups: by.length,
  });
  const shown = joinSql(names.map((name) => nameSql(name)));
  const order = joinSql([
    sql`${nameSql('size')} DESC NULLS LAST`,
    ...names.map((name) => sql`${nameSql(name)} ASC NULLS LAST`),
  ]);
  const ranked = sql`SELECT ${shown}, row_number() OVER (ORDER BY ${order}) AS ${nameSql('rank')} FROM (${sizes}) AS ${nameSql('sizes')}`;
  return {
    sql: sql`SELECT * FROM (${ranked}) AS ${nameSql('ranked')} WHERE ${nameSql('rank')} <= ${BigInt(limit)}`,
    tableIds: source.tableIds(),
    columns,
  };
}

/** Rows of no kept group find none, and are the rest. A missing value is a group like any other. */
function topJoin({ dialect }: RowSource, largest: TopSql, dimensions: readonly SourceColumn[]): Sql {
  const on = dimensions.map(({ sql: own, type }, at) => {
    const kept = nameSql('top', `d${at}`);
    const keptType = largest.columns[at]!.type;
    if (keptType === type) return dialect.same(kept, own, type);
    return dialect.same(dialect.cast(kept, 'text', keptType), dialect.cast(own, 'text', type));
  });
  return sql`LEFT JOIN ${nameSql('top')} ON ${allOf(on)}`;
}
