import { withBinds } from './bigquery-binds.ts';
import type { Bind, Statement } from './warehouse.ts';

/**
 * One transaction of statements, as a script: they are run if the first of them, the guard, changes exactly one row, and
 * else nothing is changed. The script's one row says which.
 */
export function asScript(guard: Statement, then: readonly Statement[]): Statement {
  const binds: Bind[] = [];
  const [first, ...rest] = [guard, ...then].map((statement) => {
    const before = binds.length;
    const text = withBinds(statement.sql, (number) => `@p${number + before}`);
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
