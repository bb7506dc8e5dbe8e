import { AppError } from '#base/errors.ts';
import { readsBehind } from './reads-behind.ts';
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
  const reads = await readsBehind(readsOf(select), desk.home, {
    readsOf,
    find: (names) => findNames(desk, names),
    refuse: refuseInside,
  });
  return { columns, reads };
}

/** What the account says of itself is no data of its tables. */
function refuseInside({ database, schema, name }: TableName): void {
  if (schema !== 'INFORMATION_SCHEMA' && database !== 'SNOWFLAKE') return;
  throw new AppError('BAD_USER_INPUT', `The SELECT may not read ${database}.${schema}.${name}.`, {
    fix: 'Read the tables and columns of the datastore by the query tables.',
  });
}
