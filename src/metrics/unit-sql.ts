import { sql } from '#warehouse/sql.ts';
import { conversionSql } from './conversion-sql.ts';
import { openFacts, selectSql, type UnitSql, withSql } from './facts-sql.ts';
import { aggregatesSql } from './leaf-sql.ts';
import type { ConversionLeaf, SimpleLeaf } from './measure-tree.ts';
import type { Unit } from './plan.ts';
import { windowSql } from './window-sql.ts';

/** The statement of a unit. Fails with BAD_USER_INPUT for what its rows do not have, and for what cannot be measured. */
export function unitSql(unit: Unit): UnitSql {
  const { cut, leaves } = unit;
  if (leaves[0]!.type === 'conversion') return conversionSql(unit, leaves as ConversionLeaf[]);
  if (cut.type === 'windows') return windowSql({ ...unit, cut }, leaves as SimpleLeaf[]);
  return plainSql(unit, leaves as SimpleLeaf[]);
}

function plainSql(unit: Unit, leaves: readonly SimpleLeaf[]): UnitSql {
  const facts = openFacts(unit);
  const { aggregates, where } = aggregatesSql(
    facts.source,
    leaves.map((leaf) => ({ leaf, as: leaf.aggregation })),
  );
  const measures = aggregates.map((aggregate, at) => ({ sql: aggregate, name: `m${at}` }));
  const select = selectSql({
    columns: [...facts.groups, ...measures],
    from: facts.from(),
    where: where ? [...facts.where, where] : facts.where,
    groups: facts.groups.length,
  });
  return { sql: sql`${withSql(facts.before)}${select}`, tableIds: facts.tableIds() };
}
