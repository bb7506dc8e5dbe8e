import { describe, expect, test } from 'vitest';
import { shownSql } from '#catalog/ask.ts';
import { unitSql } from '#metrics/unit-sql.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { planOf } from '../support/metric-plan.ts';
import { goldenEngines } from './dialects.ts';
import { block, broken, expectGolden, readGolden } from './golden-file.ts';
import { goldenKinds, goldenKnown, goldenNow, goldenQuestions } from './metric-questions.ts';

/* The SQL of every kind of metric on every engine. Beside DuckDB's stand question, plan and answer: see metrics.test.ts of integration. */

/** Each question of the kind, and the statements that it becomes. */
function asked(engine: Warehouse['engine'], kind: string): string[] {
  const known = goldenKnown(engine);
  return Object.entries(goldenQuestions(kind)).flatMap(([title, question]) => {
    const { reads } = planOf(known, question, goldenNow).planned;
    const units = new Set(
      [...reads.values()].flatMap(({ current, previous }) => [previous.unit, current.unit]),
    );
    const statements = [...units].map((unit) => toStatement(unitSql(unit).sql, dialectOf(engine)));
    return [`## ${title}`, ...statements.map((each) => block('sql', broken(shownSql(each))))];
  });
}

describe.each(goldenEngines)('on %s', (engine) => {
  test.each(Object.keys(goldenKinds))('a %s metric is asked as its golden file says', async (kind) => {
    const parts = asked(engine, kind);
    if (engine !== 'DUCKDB') {
      return expectGolden(
        `# ${kind}\n\n${parts.join('\n\n')}\n`,
        'metrics',
        engine.toLowerCase(),
        `${kind}.md`,
      );
    }
    const whole = await readGolden('metrics', `${kind}.md`);
    expect(parts).toEqual(whole.match(/^## [^\n]*|```sql\n.*?```/gms));
  });
});
