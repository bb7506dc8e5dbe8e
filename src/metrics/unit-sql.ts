import { nameSql, sql } from '#warehouse/sql.ts';
import { mergedCells } from './cells-sql.ts';
import { conversionSql } from './conversion-sql.ts';
import { openFacts, selectSql, type UnitSql, withSql } from './facts-sql.ts';
import { aggregatesSql } from './leaf-sql.ts';
import type { ConversionLeaf, SimpleLeaf } from './measure-tree.ts';
import { mergeOf, type Unit } from './plan.ts';
import { windowSql } from './window-sql.ts';

const manyMin = 5;

/** The statement of a unit. Fails with BAD_USER_INPUT for what its rows do not have, and for what cannot be measured. */
export function unitSql(unit: Unit): UnitSql {
  const { cut, leaves } = unit;
  if (leaves[0]!.type === 'conversion') return conversionSql(unit, leaves as ConversionLeaf[]);
  if (cut.type === 'windows') return windowSql({ ...unit, cut }, leaves as SimpleLeaf[]);
  const measures = leaves as SimpleLeaf[];
  return isMany(measures) ? manySql(unit, measures) : plainSql(unit, measures);
}

function plainSql(unit: Unit, leaves: readonly SimpleLeaf[]): UnitSql {
  const facts = openFacts(unit);
  const { aggregates, where } = aggregatesSql(facts.source, leaves);
  const measures = aggregates.map((aggregate, at) => ({ sql: aggregate, name: `m${at}` }));
  const select = selectSql({
    columns: [...facts.groups, ...measures],
    from: facts.from(),
    where: where ? [...facts.where, where] : facts.where,
    groups: facts.groups.length,
  });
  return { sql: sql`${withSql(facts.before)}${select}`, tableIds: facts.tableIds() };
}

/** Many measures under several conditions. */
function manySql(unit: Unit, leaves: readonly SimpleLeaf[]): UnitSql {
  const facts = openFacts(unit);
  const { cells, measures } = mergedCells(facts, leaves);
  const select = selectSql({
    columns: [...facts.groups.map(({ name }) => ({ sql: nameSql('cells', name), name })), ...measures],
    from: nameSql('cells'),
    groups: facts.groups.length,
  });
  const expressions = [...facts.before, sql`${nameSql('cells')} AS (${cells})`];
  return { sql: sql`${withSql(expressions)}${select}`, tableIds: facts.tableIds() };
}

/** Fewer measures are made as fast from the rows themselves. */
function isMany(leaves: readonly SimpleLeaf[]): boolean {
  const conditions = new Set(leaves.map(({ condition }) => JSON.stringify(condition)));
  const areMergeable = leaves.every((leaf) => mergeOf(leaf) === 'cells');
  return leaves.length >= manyMin && conditions.size > 1 && areMergeable;
}
