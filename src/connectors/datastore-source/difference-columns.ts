import { ConnectorError, type Difference } from '#connectors/contract.ts';
import { changeColumn, hashColumn, removedColumn } from './difference-sql.ts';
import type { SourceColumn } from './relations.ts';

/** Fails with SCHEMA where the key is not among the columns, or one of them has a name that a difference needs itself. */
export function refuseColumns(what: string, columns: readonly SourceColumn[], key: readonly string[]): void {
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length > 0) {
    throw new ConnectorError('SCHEMA', `${what} has no column "${missing.join('", "')}" of its key.`, {
      fix: 'Choose primaryKey among the selected columns.',
    });
  }
  const own = columns.find(({ name }) =>
    [hashColumn, changeColumn, removedColumn].includes(name.toLowerCase()),
  );
  if (!own) return;
  throw new ConnectorError('SCHEMA', `${what} has a column "${own.name}", which a difference adds itself.`, {
    fix: 'Leave it out with selectedColumns.',
  });
}

/** The columns of changes: where removals are mirrored a flag beside them, and of a row that is gone nothing but its key. */
export function movedColumns(
  columns: readonly SourceColumn[],
  key: readonly string[],
  { mirrorRemovals }: Difference,
): SourceColumn[] {
  if (!mirrorRemovals) return [...columns];
  const moved = columns.map((column) => (key.includes(column.name) ? column : { ...column, nullable: true }));
  return [...moved, removalColumn];
}

const removalColumn: SourceColumn = {
  name: removedColumn,
  type: { kind: 'boolean' },
  nullable: false,
  sourceType: 'boolean',
  dataType: 'boolean',
  marksRemoved: true,
};
