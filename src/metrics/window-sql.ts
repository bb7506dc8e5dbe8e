import type { Dialect, ListColumn } from '#warehouse/dialect.ts';
import { nameSql, sql, type Sql } from '#warehouse/sql.ts';
import { mergedCells, type Named } from './cells-sql.ts';
import { conditionSql, measuredSql } from './leaf-sql.ts';
import type { SimpleLeaf } from './measure-tree.ts';
import { numberOfKey } from './periods.ts';
import { type Cut, mergeOf, type Unit } from './plan.ts';
import { type Facts, openFacts, selectSql, type UnitSql, withSql } from './facts-sql.ts';
import type { WindowCut } from './windows.ts';

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
  const windows = sql`${windowRows(facts.source.dialect, unit.cut)} AS ${nameSql('w')}`;
  const select = selectSql({
    columns: [...groups, ...measures],
    from: sql`${windows} INNER JOIN ${nameSql('cells')} ON ${on}`,
    groups: groups.length,
  });
  const expressions = [...facts.before, sql`${nameSql('cells')} AS (${cells})`];
  return { sql: sql`${withSql(expressions)}${select}`, tableIds: facts.tableIds() };
}

/** The period's key, which is what is read again, and the numbers of the cells. */
function windowRows(dialect: Dialect, { windows, cellGrain }: WindowCut): Sql {
  const column = (name: string, list: number[]): ListColumn => ({
    name,
    type: 'integer',
    list: list.map(BigInt),
  });
  const begins = windows.map(({ from }) => (from === null ? 0 : numberOfKey(cellGrain, from)));
  const ends = windows.map(({ to }) => numberOfKey(cellGrain, to));
  return dialect.listsRows([
    column(
      'period',
      windows.map(({ key }) => key),
    ),
    column('begin', begins),
    column('end', ends),
  ]);
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
