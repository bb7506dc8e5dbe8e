import { AppError } from '#base/errors.ts';
import type { Desk } from './databricks-query.ts';
import { readsOf } from './databricks-reads.ts';
import { readsBehind } from './reads-behind.ts';
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
  const reads = await readsBehind(named.tables, desk.home, {
    readsOf: (text) => readsOf(text).tables,
    find: (names) => findNames(desk, names),
    refuse: refuseInside,
  });
  return { columns, reads };
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
