import { databricksDialect } from './databricks-dialect.ts';
import { tokensOf } from './databricks-tokens.ts';
import { type Parameter, parametersOf } from './databricks-values.ts';
import type { Statement } from './warehouse.ts';

/**
 * The statement with its binds as literals of their types. Databricks documents that one which makes a table holds no
 * parameters, and newer warehouses alone take them there.
 */
export function withLiterals({ sql, binds = [] }: Statement): Statement {
  const parameters = new Map(parametersOf(binds).map((parameter) => [parameter.name, parameter]));
  let text = '';
  let end = 0;
  for (const { kind, text: name, from } of tokensOf(sql)) {
    const parameter = kind === 'bind' ? parameters.get(name) : undefined;
    // What follows a value without a space is a path into it.
    if (!parameter || /[\w`\])]/.test(sql[from - 1] ?? '')) continue;
    text += sql.slice(end, from) + literalOf(parameter);
    end = from + 1 + name.length;
  }
  return { sql: text + sql.slice(end) };
}

function literalOf({ type, value }: Parameter): string {
  if (value === undefined) return 'NULL';
  const text = databricksDialect.quoteText(value.stringValue);
  return type === 'STRING' ? text : `CAST(${text} AS ${type})`;
}
