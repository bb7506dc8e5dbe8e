import { expect, test } from 'vitest';
import { redshiftDialect } from '#warehouse/redshift-dialect.ts';
import { sql, toStatement } from '#warehouse/sql.ts';

const shown = (list: readonly string[]) =>
  toStatement(sql`SELECT * FROM ${redshiftDialect.listRows(list, 'text')} AS l`, redshiftDialect);

test('a list is one bind as long as JSON_PARSE takes it, and then as few as there must be', () => {
  const keys = Array.from({ length: 5_000 }, (_, at) => `key ${String(at).padStart(26, '0')}`);
  const few = shown(keys.slice(0, 1_000));
  expect(few.binds).toHaveLength(1);
  expect(few.sql).toBe(shown(['a']).sql);
  const { binds = [], sql: text } = shown(keys);
  expect(binds).toHaveLength(3);
  for (const bind of binds) expect(Buffer.byteLength(bind as string)).toBeLessThan(65_535);
  expect(binds.flatMap((bind) => JSON.parse(bind as string) as string[])).toEqual(keys);
  expect(text.match(/UNION ALL/g)).toHaveLength(2);
});

test('a backslash in a literal is itself, whatever the server takes it for', () => {
  expect(redshiftDialect.quoteText("it's a \\ b")).toBe("'it''s a ' || CHR(92) || ' b'");
});
