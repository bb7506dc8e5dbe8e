import { expect, test } from 'vitest';
import { compared, keyList, keyValue, momentSql } from '#catalog/compare-sql.ts';
import type { Json } from '#connectors/contract.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { duckDbDialect } from '#warehouse/duckdb-dialect.ts';
import { nameSql, sql, toStatement, type Sql } from '#warehouse/sql.ts';

const columnOf = (type: ValueType, dynamic = false) => ({ sql: nameSql('c'), type, dynamic });
const shown = (piece: Sql | null) => {
  if (piece === null) return null;
  const { sql: text, binds = [] } = toStatement(piece, duckDbDialect);
  return [text, ...binds];
};
const comparison = (type: ValueType, value: Json, dynamic = false) => {
  const sides = compared(duckDbDialect, columnOf(type, dynamic), 'c', value);
  return shown(sql`${sides.column} = ${sides.value}`);
};

test.each<[ValueType, Json, unknown[]]>([
  ['integer', 5, ['"c" = ?', 5n]],
  ['integer', '9007199254740993', ['"c" = ?', 9_007_199_254_740_993n]],
  ['integer', 1.5, ['"c" = CAST(? AS DECIMAL(38, 10))', '1.5']],
  ['decimal', 0.1, ['"c" = CAST(? AS DECIMAL(38, 10))', '0.1']],
  ['decimal', '12.50', ['"c" = CAST(? AS DECIMAL(38, 10))', '12.50']],
  ['decimal', 1e300, ['"c" = ?', 1e300]],
  ['float', 0.1, ['"c" = ?', 0.1]],
  ['float', '0.1', ['"c" = ?', 0.1]],
  ['boolean', true, ['"c" = ?', true]],
  ['text', 'x', ['"c" = ?', 'x']],
  ['text', 5, ['"c" = ?', '5']],
  [
    'uuid',
    '01A0B1C2-d3e4-7f50-8a1b-2c3d4e5f6071',
    ['"c" = CAST(? AS UUID)', '01A0B1C2-d3e4-7f50-8a1b-2c3d4e5f6071'],
  ],
  ['date', '2026-02-28', ['"c" = CAST(? AS DATE)', '2026-02-28']],
  ['date', '2026-02-28T12:00:00Z', ['"c" = CAST(? AS TIMESTAMP)', '2026-02-28T12:00:00.000000']],
  ['timestamp', '2026-02-28', ['"c" = CAST(? AS TIMESTAMP)', '2026-02-28T00:00:00.000000']],
  ['timestamp', '2026-02-28 12:00', ['"c" = CAST(? AS TIMESTAMP)', '2026-02-28T12:00:00.000000']],
  [
    'timestamptz',
    '2026-02-28T12:00:00.123456789+01:30',
    ['"c" = CAST(? AS TIMESTAMPTZ)', '2026-02-28T10:30:00.123456Z'],
  ],
  [
    'timestamptz',
    '2026-02-28T12:00:00-0800',
    ['"c" = CAST(? AS TIMESTAMPTZ)', '2026-02-28T20:00:00.000000Z'],
  ],
  ['other', 'x', ['CAST("c" AS VARCHAR) = ?', 'x']],
])('a column of type %s is compared with %j by its own type', (type, value, expected) => {
  expect(comparison(type, value)).toEqual(expected);
});

test('a property of a JSON column is a number where it is compared with one, else a text', () => {
  expect(comparison('text', 5, true)).toEqual(['TRY_CAST("c" AS DOUBLE) = ?', 5]);
  expect(comparison('text', '5', true)).toEqual(['"c" = ?', '5']);
  expect(comparison('text', true, true)).toEqual(['"c" = ?', 'true']);
});

test.each<[ValueType, Json]>([
  ['integer', 'five'],
  ['integer', true],
  ['integer', '1e'],
  ['float', 'NaN'],
  ['decimal', {}],
  ['boolean', 'true'],
  ['text', ['x']],
  ['uuid', '42'],
  ['date', '2026-02-31'],
  ['timestamp', 'yesterday'],
  ['timestamp', 1_767_225_600],
  ['timestamptz', '2026-02-28T25:00:00Z'],
])('a column of type %s is not compared with %j: BAD_USER_INPUT names both', (type, value) => {
  expect(() => comparison(type, value)).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining(`of type ${type}`) }),
  );
});

test('a day that does not exist is no moment, in any zone', () => {
  expect(momentSql(duckDbDialect, 'timestamptz', '2025-02-29T00:00:00+05:00')).toBeNull();
  expect(momentSql(duckDbDialect, 'timestamptz', '2024-02-29T00:00:00+05:00')).not.toBeNull();
});

test('a key is a value of its column, and one that the type cannot hold is the key of nothing', () => {
  const one = (type: ValueType, key: string) => {
    const sides = keyValue(duckDbDialect, columnOf(type), key);
    return sides && shown(sql`${sides.column} = ${sides.value}`);
  };
  expect(one('integer', '9223372036854775808')).toEqual(['"c" = ?', 9_223_372_036_854_775_808n]);
  for (const key of ['007', '+1', '1.0', '', 'x', '-0']) expect(one('integer', key)).toBeNull();
  expect(one('uuid', 'x')).toBeNull();
  expect(one('decimal', '1.50')).toEqual(['CAST("c" AS VARCHAR) = ?', '1.50']);
});

test('keys are one list bind, of the type of their column', () => {
  const list = (type: ValueType, keys: string[]) => {
    const { column, rows } = keyList(duckDbDialect, columnOf(type), keys);
    return shown(sql`${column} IN ${rows}`);
  };
  expect(list('integer', ['1', 'x', '-2'])).toEqual([
    '"c" IN (SELECT unnest(CAST(? AS BIGINT[])) AS item)',
    [1n, -2n],
  ]);
  expect(list('text', ['1', 'x'])).toEqual([
    '"c" IN (SELECT unnest(CAST(? AS VARCHAR[])) AS item)',
    ['1', 'x'],
  ]);
  // Beyond 64 bits the keys are compared as text, which every width has.
  expect(list('integer', ['1', '9223372036854775808'])).toEqual([
    'CAST("c" AS VARCHAR) IN (SELECT unnest(CAST(? AS VARCHAR[])) AS item)',
    ['1', '9223372036854775808'],
  ]);
});
