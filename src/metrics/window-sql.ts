import type { Dialect, ListColumn } from '#warehouse/dialect.ts';
import { nameSql, sql, type Sql } from '#warehouse/sql.ts';
import { mergedCells, type Named } from './cells-sql.ts';
import { conditionSql, measuredSql } from './leaf-sql.ts';
import type { SimpleLeaf } from './measure-tree.ts';
import { type Cut, mergeOf, type Unit } from './plan.ts';
import { type Facts, openFacts, selectSql, type UnitSql, withSql } from './facts-sql.ts';
import type { WindowBounds } from './windows.ts';

/** A timestamp before all others. */
const everSince = '0001-01-01T00:00:00.000';

/**
 * The measures of windows, which overlap: rows are first brought down to cells of the finest grain, and each window then
 * takes the cells that lie in it. What cannot be put together from cells keeps its values, distinct ones once a cell.
 */
export function windowSql(
  unit: Unit & { cut: Extract<Cut, { type: 'windows' }> },
  leaves: readonly SimpleLeaf[],
): UnitSql {
  const facts = openFacts(unit);
  const { cells, measures } =
    mergeOf(leaves[0]!) === 'cells' ? mergedCells(facts, leaves) : valueCells(facts, leaves[0]!);
  const groups = facts.groups.map(({ name }) => ({
    name,
    sql: nameSql(name === 'period' ? 'w' : 'cells', name),
  }));
  const period = nameSql('cells', 'period');
  const on = sql`${period} >= ${nameSql('w', 'begin')} AND ${period} < ${nameSql('w', 'end')}`;
  const windows = sql`${windowRows(facts.source.dialect, unit.cut.windows)} AS ${nameSql('w')}`;
  const select = selectSql({
    columns: [...groups, ...measures],
    from: sql`${windows} INNER JOIN ${nameSql('cells')} ON ${on}`,
    groups: groups.length,
  });
  const expressions = [...facts.before, sql`${nameSql('cells')} AS (${cells})`];
  return { sql: sql`${withSql(expressions)}${select}`, tableIds: facts.tableIds() };
}

function windowRows(dialect: Dialect, windows: readonly WindowBounds[]): Sql {
  const column = (name: string, list: string[]): ListColumn => ({ name, type: 'timestamp', list });
  return dialect.listsRows([
    column(
      'period',
      windows.map(({ key }) => timestamp(key)),
    ),
    column(
      'begin',
      windows.map(({ from }) => (from === null ? everSince : timestamp(from))),
    ),
    column(
      'end',
      windows.map(({ to }) => timestamp(to)),
    ),
  ]);
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1);
}

function valueCells(facts: Facts, leaf: SimpleLeaf): { cells: Sql; measures: Named[] } {
  const { aggregation, percentile } = leaf;
  const value = measuredSql(facts.source, leaf) as Sql;
  const condition = conditionSql(facts.source, leaf.condition);
  const columns = [...facts.groups, { sql: value, name: 'value' }];
  const cells = selectSql({
    columns,
    from: facts.from(),
    where: condition ? [...facts.where, condition] : facts.where,
    groups: aggregation === 'COUNT_DISTINCT' ? columns.length : 0,
  });
  const measure = facts.source.dialect.aggregate({
    aggregation,
    value: nameSql('cells', 'value'),
    percentile: percentile ?? undefined,
  });
  return { cells, measures: [{ sql: measure, name: 'm0' }] };
}
