import { AppError } from '#base/errors.ts';
import type { Desk } from './snowflake-query.ts';
import { readsOf } from './snowflake-reads.ts';
import { findNames } from './snowflake-tables.ts';
import type { DescribedSelect, TableName } from './warehouse.ts';

/** The columns of a SELECT, as Snowflake says, and all that it reads, as its text and those of its views say. */
export async function describeSelect(desk: Desk, select: string): Promise<DescribedSelect> {
  const { columns, isSelect } = await desk.describe({ sql: select });
  if (!isSelect) {
    throw new AppError('BAD_USER_INPUT', 'Only a SELECT is allowed here: the statement is of another kind.', {
      fix: 'Begin with SELECT or WITH.',
    });
  }
  const reads = new Map<string, TableName>();
  let next = readsOf(select).map((parts) => tableOf(parts, desk.home));
  while (next.length > 0) {
    next.forEach(refuseInside);
    const found = await findNames(desk, next);
    next = [];
    for (const { table, view } of found) {
      const key = keyOf(table);
      if (reads.has(key)) continue;
      reads.set(key, table);
      // In the text of a view, names are those of its own schema.
      if (view !== null) next.push(...readsOf(view).map((parts) => tableOf(parts, table)));
    }
    next = next.filter((table) => !reads.has(keyOf(table)));
  }
  return { columns, reads: [...reads.values()] };
}

function keyOf({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]);
}

/** The whole name of what may be named by its last parts. */
function tableOf(parts: readonly string[], home: Pick<TableName, 'database' | 'schema'>): TableName {
  const [name = '', schema = home.schema, database = home.database] = parts.toReversed();
  return { database, schema, name };
}

/** What the account says of itself is no data of its tables. */
function refuseInside({ database, schema, name }: TableName): void {
  if (schema !== 'INFORMATION_SCHEMA' && database !== 'SNOWFLAKE') return;
  throw new AppError('BAD_USER_INPUT', `The SELECT may not read ${database}.${schema}.${name}.`, {
    fix: 'Read the tables and columns of the datastore by the query tables.',
  });
}
