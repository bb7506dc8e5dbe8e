import { expect, test } from 'vitest';
import { whatIsNoExpression } from '#pipelines/check-expression.ts';

test.each([
  'plan',
  '"odd ) name"',
  `')' || name || '('`,
  `'it''s; -- no comment'`,
  'coalesce(a, (b + c) * 2)',
  `DATE '2026-01-01' + 1`,
  `DATE'2026-01-01'`,
  'list[1]',
  "{'a': 1}",
  'CASE WHEN a THEN 1 ELSE 2 END',
  'a - -1',
])('%s may stand between parentheses', (text) => {
  expect(whatIsNoExpression(text)).toBeUndefined();
});

test.each([
  ['', 'it is empty'],
  ['a) FROM (SELECT 1', '")" closes what was not opened'],
  ['(a', 'a parenthesis is not closed'],
  ['f(a]]', '"]" closes what was not opened'],
  ['a; b', 'it holds ";"'],
  ['a -- b', 'it holds a comment'],
  ['a /* b */', 'it holds a comment'],
  ["'a", "a quote (') is not closed"],
  ['"a', 'a quote (") is not closed'],
  ["E'\\') FROM x WHERE (1 = '", "strings with escapes (E'…') are not taken"],
  ['$$a$$', '"$" would be a parameter, for which there is no value'],
  ['a = ?', '"?" would be a parameter, for which there is no value'],
])('%s is not one expression: %s', (text, why) => {
  expect(whatIsNoExpression(text)).toBe(why);
});
