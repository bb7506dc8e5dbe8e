import { expect, test } from 'vitest';
import { columnTypeOf, duckDbType } from '#connectors/column-type.ts';
import { unionShapes, type FileShape } from '#connectors/files/shape.ts';

function shape(columns: Record<string, string | null>, isText = true): FileShape {
  const found = Object.entries(columns).map(([name, type]) => ({
    name,
    type: type === null ? null : columnTypeOf(type),
    sourceType: 'x',
  }));
  return { columns: found, isText, estimatedRows: null };
}

function union(...shapes: FileShape[]) {
  return unionShapes(shapes.map((each, at) => ({ name: `file-${at}`, shape: each })));
}

test.each<[a: string | null, b: string | null, isText: boolean, both: string]>([
  ['BIGINT', 'BIGINT', true, 'BIGINT'],
  ['BIGINT', 'DOUBLE', true, 'DOUBLE'],
  ['DOUBLE', 'BIGINT', true, 'DOUBLE'],
  ['BIGINT', null, true, 'BIGINT'],
  [null, 'DATE', true, 'DATE'],
  [null, null, true, 'VARCHAR'],
  ['INTEGER', 'BIGINT', false, 'BIGINT'],
  ['INTEGER', 'DOUBLE', false, 'DOUBLE'],
  ['DECIMAL(4,1)', 'DECIMAL(8,2)', false, 'DECIMAL(8,2)'],
])('%s and %s (text file: %s) meet as %s', (a, b, isText, both) => {
  const [column] = union(shape({ x: a }, isText), shape({ x: b }, isText));
  expect(duckDbType(column!.type)).toBe(both);
  expect(column!.asTextBecause).toBeUndefined();
});

test.each<[a: string, b: string, isText: boolean]>([
  ['BIGINT', 'DOUBLE', false],
  ['DATE', 'TIMESTAMP', true],
  ['DATE', 'VARCHAR', true],
  ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', true],
  ['JSON', 'BIGINT', true],
])('%s and %s (text file: %s) meet as text and say which files part', (a, b, isText) => {
  const [column] = union(shape({ x: a }, isText), shape({ x: b }, isText), shape({ x: a }, isText));
  expect(column).toMatchObject({
    type: { kind: 'text' },
    asTextBecause: expect.stringMatching(/^"file-0" holds .*, "file-1" /),
  });
});

test('columns stand in the order of their first appearance, whatever the case of their names', () => {
  const columns = union(shape({ a: 'BIGINT', B: 'DATE' }), shape({ c: 'BIGINT', b: 'DATE', A: 'BIGINT' }));
  expect(columns.map((column) => [column.name, column.nullable])).toEqual([
    ['a', true],
    ['B', true],
    ['c', true],
  ]);
});
