import { expect, test } from 'vitest';
import { readsOf } from '#warehouse/snowflake-reads.ts';

const names = (select: string) =>
  readsOf(select)
    .map((parts) => parts.join('.'))
    .sort();

test.each([
  ['SELECT 1', []],
  ['select * from a', ['A']],
  ['SELECT * FROM "a" AS x, db.s."B c" y, c', ['C', 'DB.S.B c', 'a']],
  ['SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN (c CROSS JOIN d) USING (x)', ['A', 'B', 'C', 'D']],
  ['SELECT (SELECT max(x) FROM a), b.c FROM (SELECT * FROM d) WHERE x IN (SELECT y FROM e)', ['A', 'D', 'E']],
  ["SELECT 'FROM x' -- FROM y\n FROM a /* , b */ // , c\n", ['A']],
  ["SELECT $$ FROM x $$, 'it\\'s FROM y' FROM a", ['A']],
  ['SELECT EXTRACT(YEAR FROM d), TRIM(x FROM y), a IS NOT DISTINCT FROM b FROM t', ['T']],
  ['WITH a AS (SELECT * FROM b), c (x) AS (SELECT * FROM a) SELECT * FROM c, d', ['B', 'D']],
  ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN a ON TRUE', ['A']],
  ['WITH a AS (SELECT * FROM s.a) SELECT * FROM a', ['S.A']],
  ['SELECT * FROM a UNION ALL SELECT * FROM b ORDER BY x, y', ['A', 'B']],
  ["SELECT f.value FROM a, LATERAL FLATTEN(INPUT => a.v, MODE => 'OBJECT') f, b", ['A', 'B']],
  ['SELECT * FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))) WHERE x = (SELECT y FROM a)', ['A']],
  ['SELECT * FROM db..a', ['DB.PUBLIC.A']],
  ['SELECT * FROM (VALUES (1), (2)) AS v (x)', []],
  ['CREATE OR REPLACE VIEW s.v AS SELECT * FROM s.a', ['S.A']],
])('%j reads %j', (select, wanted) => {
  expect(names(select)).toEqual(wanted);
});

test.each([
  'SELECT * FROM @stage/file.csv',
  "SELECT * FROM '@stage'",
  'SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))',
  "SELECT * FROM TABLE('a')",
  "SELECT * FROM IDENTIFIER('a')",
  'SELECT * FROM a, LATERAL f(a.x)',
  'SELECT SYSTEM$WAIT(10)',
  'SELECT s.NEXTVAL FROM a',
])('%j is refused', (select) => {
  expect(() => readsOf(select)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
});
