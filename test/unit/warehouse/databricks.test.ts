import { expect, test } from 'vitest';
import { withLiterals } from '#warehouse/databricks-literals.ts';
import { tokensOf } from '#warehouse/databricks-tokens.ts';

test('binds that become literals keep their types, and what only looks like one stays', () => {
  const binds = [1, 2n ** 40n, 0.5, true, "it's \\ ${x} :p1", null, new Date(0), ['a', null]];
  const { sql, binds: left } = withLiterals({
    sql: "SELECT :p1, :p2, :p3, :p4, :p5, :p6, :p7, :p8, ':p1', `:p1`, v:p1, v::p1 -- :p1",
    binds,
  });
  expect(left).toBeUndefined();
  expect(sql).toBe(
    "SELECT CAST('1' AS INT), CAST('1099511627776' AS BIGINT), CAST('0.5' AS DOUBLE), CAST('true' AS BOOLEAN), " +
      "'it\\'s \\\\ \\u0024{x} :p1', NULL, CAST('1970-01-01T00:00:00.000Z' AS TIMESTAMP), '[\"a\",null]', ':p1', `:p1`, v:p1, v::p1 -- :p1",
  );
  const texts = tokensOf(sql).filter(({ kind }) => kind === 'text');
  expect(texts.map(({ text }) => text)).toContain(binds[4]);
});
