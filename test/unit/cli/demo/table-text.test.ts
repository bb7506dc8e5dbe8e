import { expect, test } from 'vitest';
import { tableText } from '#cli/demo/table-text.ts';

test('rows stand in columns as wide as their widest cell', () => {
  const rows = [
    ['1', 'Ada', null, { a: [1] }],
    [20, 'Grace\nHopper', true, []],
  ];
  expect(tableText(['id', 'name', 'is_admin', 'properties'], rows, 80)).toEqual([
    'id  name          is_admin  properties',
    '──  ────────────  ────────  ──────────',
    '1   Ada                     {"a":[1]}',
    '20  Grace Hopper  true      []',
  ]);
});

test('what does not fit is cut and shown to be cut', () => {
  const lines = tableText(['text', 'more'], [['x'.repeat(100), 'y']], 20);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(20);
  expect(lines[2]).toMatch(/^x+…$/);
  expect(tableText(['text'], [['x'.repeat(100)]], 100)[2]).toBe(`${'x'.repeat(27)}…`);
});

test('a table without rows is its head', () => {
  expect(tableText(['a', 'b'], [], 80)).toEqual(['a  b', '─  ─']);
});
