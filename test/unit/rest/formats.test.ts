import { expect, test } from 'vitest';
import { acceptedFormat, csvHead, csvOfRow, jsonNames, jsonOfRow } from '#rest/formats.ts';

test.each([
  [undefined, 'json'],
  ['', 'json'],
  ['*/*', 'json'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'json'],
  ['text/csv', 'csv'],
  ['Text/CSV; charset=utf-8', 'csv'],
  ['application/json;q=0.1, application/x-ndjson', 'ndjson'],
  ['text/csv;q=0, application/json', 'json'],
  ['text/html', null],
  ['application/json;q=0', null],
  ['application/json;q=x', null],
  ['constructor', null],
  ['__proto__', null],
  [',;,', null],
] as const)('Accept: %s is %s', (accept, format) => {
  expect(acceptedFormat(accept)).toBe(format);
});

const column = (name: string) => ({ name, dataType: 'x', type: 'other' as const });

test('CSV tells NULL from the empty text, and quotes what would be read otherwise', () => {
  expect(csvHead([column('a'), column('b,"c"')])).toBe('a,"b,""c"""\r\n');
  expect(
    csvOfRow([null, '', 'a', ' a', 'a\nb', '"', 1.5, 2n ** 60n, true, Number.NaN, [1, null], { a: 'b' }]),
  ).toBe(',"",a," a","a\nb","""",1.5,1152921504606846976,true,NaN,"[1,null]","{""a"":""b""}"\r\n');
});

test('JSON keeps every digit, and names of columns stay names', () => {
  const names = jsonNames([column('__proto__'), column('a"b'), column('c')]);
  const text = jsonOfRow(names, [2n ** 53n, Number.NaN, undefined]);
  expect(text).toBe('{"__proto__":"9007199254740992","a\\"b":"NaN","c":null}');
});
