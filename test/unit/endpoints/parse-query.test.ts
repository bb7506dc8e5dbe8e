import { expect, test } from 'vitest';
import { paramsIn, parseQuery } from '#endpoints/parse-query.ts';
import { prepare, queryOf } from '#endpoints/statement.ts';
import { toStatement } from '#warehouse/sql.ts';
import { postgresDialect } from '#warehouse/postgres-dialect.ts';

test.each([
  ['SELECT :a', ['a']],
  ['SELECT :a, :b, :a', ['a', 'b']],
  [`SELECT ':a', ":b", \`:c\`, :d`, ['d']],
  [`SELECT 'it''s :a', :b`, ['b']],
  ['SELECT 1 -- :a\n, :b', ['b']],
  ['SELECT 1 /* :a /* :b */ :c */, :d', ['d']],
  ['SELECT $$ :a $$, $t$ :b $$ $t$, :c', ['c']],
  ['SELECT x::int, v:name, list[1:n], :a::text', ['a']],
  ['SELECT :a; -- :b', ['a']],
  ['SELECT :a;;\n/* done */', ['a']],
  ['SELECT :a-:b/:c', ['a', 'b', 'c']],
])('%s has the parameters %j', (query, params) => {
  expect(paramsIn(parseQuery(query))).toEqual(params);
});

test.each([
  ['SELECT 1; SELECT 2', 'more than one statement'],
  [`SELECT 1; 'x'`, 'more than one statement'],
  [`SELECT 'a`, 'A text that begins at line 1, column 8 does not end.'],
  ['SELECT\n  "a', 'A quoted name that begins at line 2, column 3 does not end.'],
  ['SELECT 1 /* a', 'A comment'],
  [`SELECT 'a\\' OR 1 --'`, 'backslash'],
])('%s is refused, saying where', (query, message) => {
  expect(() => parseQuery(query)).toThrow(message);
});

test('a value is a bind of its type, whatever it holds; the text is the same for all', () => {
  const prepared = prepare('SELECT * FROM t WHERE a = :a AND b IN ( :b ) AND c > :a', [
    { name: 'a', type: 'integer' },
    { name: 'b', type: 'string', list: true },
  ]);
  const made = (a: bigint, b: string[]) =>
    toStatement(
      queryOf(
        prepared,
        new Map<string, bigint | string[]>([
          ['a', a],
          ['b', b],
        ]),
        postgresDialect,
      ),
      postgresDialect,
    );
  const one = made(1n, [`') OR TRUE --`]);
  expect(one.sql).toBe(
    'SELECT * FROM t WHERE a = CAST($1 AS bigint) AND b IN (SELECT unnest(CAST($2 AS text[])) AS item) AND c > CAST($3 AS bigint)',
  );
  expect(one.binds).toEqual([1n, [`') OR TRUE --`], 1n]);
  expect(made(2n, []).sql).toBe(one.sql);
});

test('a list stands alone in parentheses', () => {
  expect(() => prepare('SELECT * FROM t WHERE a = :b', [{ name: 'b', type: 'string', list: true }])).toThrow(
    'The list :b at line 1, column 27 does not stand alone in parentheses.',
  );
});
