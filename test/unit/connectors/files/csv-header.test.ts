import { expect, test } from 'vitest';
import { fieldsOf, uniqueNames } from '#connectors/files/csv-header.ts';

test.each([
  ['a,b,c', ',', ['a', 'b', 'c']],
  ['a', ',', ['a']],
  ['', ',', ['']],
  [',', ',', ['', '']],
  ['"a,b",c', ',', ['a,b', 'c']],
  ['"say ""hi""",x', ',', ['say "hi"', 'x']],
  ['"two\nlines";b', ';', ['two\nlines', 'b']],
  ['a\tb', '\t', ['a', 'b']],
])('%j cut at %j is %j', (record, delimiter, fields) => {
  expect(fieldsOf(record, delimiter)).toEqual(fields);
});

test('names become unique without regard to case, empty ones get their place', () => {
  expect(uniqueNames(['id', 'ID', '', ' name ', 'id', 'id_1'])).toEqual([
    'id',
    'ID_1',
    'column_3',
    'name',
    'id_2',
    'id_1_1',
  ]);
});
