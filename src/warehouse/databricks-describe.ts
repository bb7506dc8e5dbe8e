import { AppError } from '#base/errors.ts';
import type { Desk } from './databricks-query.ts';
import { readsOf } from './databricks-reads.ts';
import { findNames, findRoutines, typeNameOf } from './databricks-tables.ts';
import type { DescribedSelect, TableName } from './warehouse.ts';

/** The columns of a SELECT, as Databricks says, and all that it reads, as its text and those of its views say. */
export async function describeSelect(desk: Desk, select: string): Promise<DescribedSelect> {
  // Before Databricks looks at it, and so at the files that it might name.
  const named = readsOf(select);
  // It takes nothing but a query, and exactly one.
  const { rows } = await desk.run({ sql: `DESCRIBE QUERY ${select}` });
  const columns = (rows as [string, string][]).map(([name, type]) => ({ name, dataType: typeNameOf(type) }));
  const own = await findRoutines(desk, named.functions);
  if (own.length > 0) throw refused(`call the function ${own[0]}`);
  const reads = new Map<string, TableName>();
  let next = named.tables.map((parts) => tableOf(parts, desk.home));
  while (next.length > 0) {
    next.forEach(refuseInside);
    const found = await findNames(desk, next);
    next = [];
    for (const { table, view } of found) {
      const key = keyOf(table);
      if (reads.has(key)) continue;
      reads.set(key, table);
      // In the text of a view, names are taken for those of its own schema.
      if (view !== null) next.push(...readsOf(view).tables.map((parts) => tableOf(parts, table)));
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

/** What the workspace says of itself is no data of its tables. */
function refuseInside({ database, schema, name }: TableName): void {
  if (schema !== 'information_schema' && database !== 'system') return;
  throw refused(`read ${database}.${schema}.${name}`);
}

function refused(what: string): AppError {
  return new AppError('BAD_USER_INPUT', `The SELECT may not ${what}.`, {
    fix: 'Read tables and views of the datastore, and use functions that Databricks has itself.',
  });
}
