import { bigQueryTokens } from './bigquery-tokens.ts';
import type { Bind, Statement } from './warehouse.ts';

/**
 * One transaction of statements, as a script: they are run if the first of them, the guard, changes exactly one row, and
 * else nothing is changed. The script's one row says which.
 */
export function asScript(guard: Statement, then: readonly Statement[]): Statement {
  const binds: Bind[] = [];
  const [first, ...rest] = [guard, ...then].map((statement) => {
    const text = renumbered(statement.sql, binds.length);
    binds.push(...(statement.binds ?? []));
    return text;
  });
  const lines = [
    'BEGIN TRANSACTION',
    first,
    ['IF @@row_count = 1 THEN', [...rest, 'COMMIT TRANSACTION', 'SELECT TRUE AS committed'].join(';\n')].join(
      '\n',
    ),
    'ELSE\nROLLBACK TRANSACTION',
    'SELECT FALSE AS committed',
    'END IF',
  ];
  return { sql: `${lines.join(';\n')};`, binds };
}

/** The statement with its binds counted from behind so many others. */
function renumbered(sql: string, before: number): string {
  let text = '';
  let end = 0;
  for (const { kind, text: bind, index = 0 } of bigQueryTokens(sql)) {
    if (kind !== 'sign' || !/^@p\d+$/.test(bind)) continue;
    text += `${sql.slice(end, index)}@p${Number(bind.slice(2)) + before}`;
    end = index + bind.length;
  }
  return text + sql.slice(end);
}
