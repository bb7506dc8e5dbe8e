import { AppError } from '#base/errors.ts';
import type { DescribedSelect, Statement, TableName, WriteTarget } from './warehouse.ts';

/** A view can hold no values. */
export function refuseBinds({ binds }: Statement): void {
  if (binds === undefined || binds.length === 0) return;
  throw new AppError('BAD_USER_INPUT', 'A view cannot hold the binds of its SELECT.', {
    fix: 'Write a table, or put the values into the SELECT.',
  });
}

/** A view that reads itself would fail only when it is read. `keyOf` gives names that the engine takes for one the same text. */
export function refuseItself(
  target: WriteTarget,
  { reads }: DescribedSelect,
  keyOf: (table: TableName) => string = exactly,
): void {
  if (!reads.some((table) => keyOf(table) === keyOf(target))) return;
  const { database, schema, name } = target;
  throw new AppError('BAD_USER_INPUT', `The view ${database}.${schema}.${name} would read itself.`, {
    fix: 'Give it another name, or read what it reads.',
  });
}

/** A table does not become a view, nor a view a table. */
export function refuseOther(
  name: string,
  { kind }: Pick<WriteTarget, 'kind'>,
  there: WriteTarget['kind'] | undefined,
): void {
  if (there === undefined || there === kind) return;
  throw new AppError(
    'CONFLICT',
    `${name} is a ${there.toLowerCase()} already, and cannot become a ${kind.toLowerCase()}.`,
    { fix: 'Take another name, or drop what is there.' },
  );
}

function exactly({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]);
}
