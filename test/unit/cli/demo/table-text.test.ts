import { expect, test } from 'vitest';
import { sqlText, tableText } from '#cli/demo/table-text.ts';

test('rows stand in columns as wide as their widest cell', () => {
  const rows = [
    ['1', 'Ada', null, { a: [1] }],
    [20, 'Grace\nHopper', true, []],
  ];
  expect(tableText(['id', 'name', 'is_admin', 'properties'], rows, 80)).toEqual([
    'id  name          is_admin  properties',
    '──  ────────────  ────────  ──────────',
    ' 1  Ada                     {"a":[1]}',
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

test('a column of numbers ends in one line, and one with any other text begins in one', () => {
  const rows = [
    ['1,200', '+7%', '12'],
    ['–', '-110%', 'twelve'],
    [3, null, ''],
  ];
  expect(tableText(['count', 'change', 'other'], rows, 80).slice(2)).toEqual([
    '1,200     +7%  12',
    '    –   -110%  twelve',
    '    3',
  ]);
});

test('SQL has a line for each clause, and wide lines are folded at spaces', () => {
  expect(sqlText('SELECT a, count(*) FROM t WHERE a > ? GROUP BY 1\n-- binds: 1', 20)).toEqual([
    'SELECT a, count(*)',
    'FROM t',
    'WHERE a > ?',
    'GROUP BY 1',
    '-- binds: 1',
  ]);
  expect(sqlText('SELECT first, second, third FROM t', 16)).toEqual([
    'SELECT first,',
    '    second,',
    '    third',
    'FROM t',
  ]);
});
