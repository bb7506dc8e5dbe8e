import { expect, test } from 'vitest';
import type { ParamDeclaration } from '#endpoints/declaration.ts';
import { paramsOfJson, paramsOfUrl } from '#endpoints/read-params.ts';

const read = (param: Omit<ParamDeclaration, 'name'>, text: string) =>
  paramsOfUrl([{ name: 'p', ...param }], new URLSearchParams([['p', text]]), []);

test.each<[Omit<ParamDeclaration, 'name'>, string, unknown]>([
  [{ type: 'string' }, '', ''],
  [{ type: 'string', maxLength: 2 }, '\u{1f600}\u{1f600}', '\u{1f600}\u{1f600}'],
  [{ type: 'string', pattern: 'a|b' }, 'b', 'b'],
  [{ type: 'integer' }, '-0', 0n],
  [{ type: 'integer' }, '9223372036854775807', 2n ** 63n - 1n],
  [{ type: 'integer' }, '-9223372036854775808', -(2n ** 63n)],
  [{ type: 'integer', enum: [1, '2'] }, '2', 2n],
  [{ type: 'number' }, '1e-3', 0.001],
  [{ type: 'boolean' }, 'false', false],
  [{ type: 'date' }, '2024-02-29', '2024-02-29'],
  [{ type: 'datetime' }, '2026-01-01t00:30:00.1234567+02:00', '2025-12-31T22:30:00.123456Z'],
  [{ type: 'uuid' }, 'ABCDEFAB-0000-4000-8000-000000000000', 'abcdefab-0000-4000-8000-000000000000'],
  [{ type: 'integer', list: true }, '1', [1n]],
])('%j takes %j', (param, text, value) => {
  const { values, problems } = read(param, text);
  expect(problems).toEqual([]);
  expect(values.get('p')).toEqual(value);
});

test.each<[Omit<ParamDeclaration, 'name'>, string]>([
  [{ type: 'string' }, 'a\0'],
  [{ type: 'string', maxLength: 1 }, 'ab'],
  [{ type: 'string', pattern: 'a|b' }, 'ab'],
  [{ type: 'string', enum: ['a'] }, 'A'],
  [{ type: 'integer' }, '9223372036854775808'],
  [{ type: 'integer' }, '01'],
  [{ type: 'integer', minimum: 1 }, '0'],
  [{ type: 'number' }, '1e999'],
  [{ type: 'number' }, 'NaN'],
  [{ type: 'boolean' }, '1'],
  [{ type: 'date' }, '2026-02-29'],
  [{ type: 'date' }, '0000-01-01'],
  [{ type: 'datetime' }, '2026-01-01T00:00:00'],
  [{ type: 'datetime' }, '9999-12-31T23:59:59-01:00'],
  [{ type: 'uuid' }, 'x'],
])('%j refuses %j, naming the parameter', (param, text) => {
  expect(read(param, text).problems).toMatchObject([{ code: 'INVALID', path: ['p'] }]);
});

test('what is left out has its default, or is NULL, or no list; null is left out too', () => {
  const declared: ParamDeclaration[] = [
    { name: 'a', type: 'integer', default: 3 },
    { name: 'b', type: 'string' },
    { name: 'c', type: 'date', list: true },
    { name: 'constructor', type: 'string' },
  ];
  const expected = [
    ['a', 3n],
    ['b', null],
    ['c', []],
    ['constructor', null],
  ];
  for (const { values, problems } of [
    paramsOfUrl(declared, new URLSearchParams(), []),
    paramsOfJson(declared, { a: null, b: undefined }),
  ]) {
    expect(problems).toEqual([]);
    expect([...values]).toEqual(expected);
  }
});

test('every wrong parameter is named at once, a required one and unknown ones too, but not thousands', () => {
  const declared: ParamDeclaration[] = [
    { name: 'plan', type: 'string', required: true },
    { name: 'n', type: 'integer' },
  ];
  const { problems } = paramsOfUrl(declared, new URLSearchParams('n=1&n=2&plna=x&__proto__=1'), ['first']);
  expect(problems.map(({ path, code }) => [path[0], code])).toEqual([
    ['n', 'INVALID'],
    ['plna', 'INVALID'],
    ['__proto__', 'INVALID'],
    ['plan', 'REQUIRED'],
  ]);
  expect(problems[1]!.fix).toBe('Did you mean plan?');
  const many = new URLSearchParams(Array.from({ length: 4_000 }, (_, index) => [`x${index}`, '']));
  expect(paramsOfUrl([], many, []).problems.length).toBeLessThan(20);
});

test('a moment whose "+" became a space in the URL is refused, and says how to write it', () => {
  const declared: ParamDeclaration[] = [{ name: 'since', type: 'datetime' }];
  const fixOf = (query: string) => paramsOfUrl(declared, new URLSearchParams(query), []).problems[0]?.fix;
  expect(fixOf('since=2026-01-01T00:00:00+01:00')).toBe('Write "+" as %2B: in a URL it is a space.');
  expect(fixOf('since=2026-01-01T00:00:00%2B01:00')).toBeUndefined();
  expect(fixOf('since=2026-02-30T00:00:00+01:00')).toMatch(/^Give an RFC 3339/);
});
