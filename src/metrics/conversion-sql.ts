import { momentBind } from '#catalog/compare-sql.ts';
import { entityFilterSql } from '#catalog/filter-sql.ts';
import type { Dialect, Grain, ValueType } from '#warehouse/dialect.ts';
import { joinSql, nameSql, sql, type Sql } from '#warehouse/sql.ts';
import { timeOf } from './leaf-sql.ts';
import type { ConversionLeaf } from './measure-tree.ts';
import { addLocal } from './periods.ts';
import type { Cut, Unit } from './plan.ts';
import { openFacts, selectSql, type UnitSql, withSql } from './facts-sql.ts';

const lengthsMs: Partial<Record<Grain, number>> = {
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
  WEEK: 7 * 86_400_000,
};

const months: Partial<Record<Grain, number>> = { MONTH: 1, QUARTER: 3, YEAR: 12 };

/**
 * Users by the period of their first event of kind `first` in it, and those of them who did `second` strictly later, and no
 * later than the window after it: a day is 24 hours, a month one of the calendar in UTC. What the question filters and
 * groups by is that of the first event; the second may come after the range.
 */
export function conversionSql(unit: Unit, leaves: readonly ConversionLeaf[]): UnitSql {
  const leaf = leaves[0] as ConversionLeaf;
  const facts = openFacts(unit);
  const user = facts.source.column('userKey').sql;
  const groups = facts.groups.length;
  const firsts = selectSql({
    columns: [
      ...facts.groups,
      { sql: user, name: 'user' },
      { sql: sql`min(${facts.time.sql})`, name: 'moment' },
    ],
    where: [...facts.where, entityFilterSql(facts.source, leaf.first), sql`${user} IS NOT NULL`],
    from: facts.from(),
    groups: groups + 1,
  });
  const seconds = secondsSql(unit, leaf);
  const kept = [...facts.groups.map(({ name }) => name), 'user'];
  const pairs = selectSql({
    columns: [
      ...kept.map((name) => ({ sql: nameSql('firsts', name), name })),
      { sql: sql`count(${nameSql('seconds', 'moment')})`, name: 'followed' },
    ],
    from: sql`${nameSql('firsts')} LEFT JOIN ${nameSql('seconds')} ON ${followsSql(facts.source.dialect, facts.time.type, leaf)}`,
    groups: kept.length,
  });
  const counts = { first: sql`count(*)`, both: sql`count(nullif(${nameSql('followed')}, 0))` };
  const select = selectSql({
    columns: [
      ...facts.groups.map(({ name }) => ({ sql: nameSql(name), name })),
      ...leaves.map((each, at) => ({ sql: counts[each.counts], name: `m${at}` })),
    ],
    from: nameSql('pairs'),
    groups,
  });
  const expressions = [
    ...facts.before,
    sql`${nameSql('firsts')} AS (${firsts})`,
    sql`${nameSql('seconds')} AS (${seconds.sql})`,
    sql`${nameSql('pairs')} AS (${pairs})`,
  ];
  return {
    sql: sql`${withSql(expressions)}${select}`,
    tableIds: [...new Set([...facts.tableIds(), ...seconds.tableIds])],
  };
}

function secondsSql({ rows, cut }: Unit, leaf: ConversionLeaf): UnitSql {
  const source = rows.open();
  const time = timeOf(source, rows);
  const moment = (ms: number) => momentBind(source.dialect, time.type, new Date(ms));
  const { fromMs, toMs } = hullOf(cut);
  const lastMs = addLocal(toMs, leaf.windowCount, leaf.windowGrain);
  const select = selectSql({
    columns: [
      { sql: source.column('userKey').sql, name: 'user' },
      { sql: time.sql, name: 'moment' },
    ],
    where: [
      sql`${time.sql} >= ${moment(fromMs)}`,
      sql`${time.sql} < ${moment(lastMs)}`,
      entityFilterSql(source, leaf.second),
    ],
    from: source.from(),
    groups: 0,
  });
  return { sql: select, tableIds: source.tableIds() };
}

function hullOf(cut: Cut): { fromMs: number; toMs: number } {
  // A conversion is never measured in windows.
  const ranges = cut.type === 'windows' ? [cut] : cut.ranges;
  return {
    fromMs: Math.min(...ranges.map(({ fromMs }) => fromMs as number)),
    toMs: Math.max(...ranges.map(({ toMs }) => toMs)),
  };
}

function followsSql(dialect: Dialect, type: ValueType, { windowCount, windowGrain }: ConversionLeaf): Sql {
  const first = nameSql('firsts', 'moment');
  const second = nameSql('seconds', 'moment');
  const inMonths = months[windowGrain];
  const last =
    inMonths === undefined
      ? dialect.addMs(first, windowCount * lengthsMs[windowGrain]!)
      : dialect.addMonths(first, windowCount * inMonths, type);
  return joinSql(
    [
      sql`${nameSql('seconds', 'user')} = ${nameSql('firsts', 'user')}`,
      sql`${second} > ${first}`,
      sql`${second} <= ${last}`,
    ],
    ' AND ',
  );
}
