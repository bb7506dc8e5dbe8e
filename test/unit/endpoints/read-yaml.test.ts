import { expect, test } from 'vitest';
import { readYaml } from '#endpoints/read-yaml.ts';

const problems = (text: string) => {
  const read = readYaml(text);
  return 'problems' in read
    ? read.problems.map(({ line, column, path }) => [line, column, path.join('.')])
    : [];
};
const good = `metadata: { name: a, version: 1 }
route: /a
query: SELECT :p AS p
params:
  - { name: p, type: string }
`;

test('a declaration is read as it stands', () => {
  expect(readYaml(good)).toMatchObject({
    declaration: { metadata: { name: 'a' }, params: [{ name: 'p', type: 'string' }] },
  });
});

test.each([
  ['the wrong value', good.replace('type: string', 'type: text'), [[5, 22, 'params.0.type']]],
  ['an unknown field', `${good}owner: me\n`, [[6, 1, 'owner']]],
  ['a missing field, at its parent', good.replace('route: /a\n', ''), [[1, 1, 'route']]],
  ['a parameter that the query has not', good.replace(':p', '1'), [[5, 11, 'params.0.name']]],
  ['a parameter that is not declared', good.replace(':p AS', ':p + :q AS'), [[3, 1, 'query']]],
])('%s is told with its line and column', (_what, text, expected) => {
  const found = problems(text);
  expect(found.map(([line, , path]) => [line, path])).toEqual(expected.map(([line, , path]) => [line, path]));
});

test.each([
  ['no YAML', 'a: [', 1],
  ['two documents', `${good}---\n${good}`, 6],
  ['a name twice', `${good}route: /b\n`, 6],
  ['nothing', '', 1],
  ['a text', 'hello', 1],
  ['NUL', good.replace('/a', '"/\\0"'), 2],
  [
    'a bomb of aliases',
    `a: &a [x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 9 }, (_, n) => `b${n}: &b${n} [${`*${n === 0 ? 'a' : `b${n - 1}`},`.repeat(9)}]`).join('\n')}`,
    1,
  ],
  ['what nests without end', '['.repeat(50_000), 1],
])('%s is refused with its line', (_what, text, line) => {
  expect(problems(text)[0]?.[0]).toBe(line);
});

test('an empty file, and one of several declarations, are told in words of the declaration', () => {
  const messages = (text: string) => {
    const read = readYaml(text);
    return 'problems' in read ? read.problems.map(({ message }) => message) : [];
  };
  expect(messages('# later\n')).toEqual(['It is empty.']);
  expect(messages(`${good}---\n${good}`)).toEqual(['Another declaration begins here: a file holds one.']);
});
