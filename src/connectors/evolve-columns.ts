import { typeName, widerType } from './column-type.ts';
import { ConnectorError, type ColumnType, type StreamColumn } from './contract.ts';

export interface Evolution {
  /** The table's columns from now on: the existing ones in their order, then the new ones. */
  columns: StreamColumn[];
  /** One line a change, worth logging. Empty when the table stays as it is. */
  changes: string[];
}

/**
 * What a table becomes when rows of these columns arrive: new columns join as nullable, vanished ones stay for NULLs, wider
 * types widen, narrower ones fit in. A column that travels as text turns the table's column into text. Names that differ
 * only in the case of ASCII letters are one column, as in DuckDB. Anything else throws SCHEMA naming every misfit at once.
 */
export function evolveColumns(
  existing: readonly StreamColumn[] | null,
  incoming: readonly StreamColumn[],
  stream = 'this stream',
): Evolution {
  refuseTwins(incoming, stream);
  if (!existing) return { columns: [...incoming], changes: [] };
  const arriving = new Map(incoming.map((column) => [columnKey(column.name), column]));
  const misfits: string[] = [];
  const changes: string[] = [];
  const columns = existing.map((column) => {
    const next = arriving.get(columnKey(column.name));
    arriving.delete(columnKey(column.name));
    return next ? meet(column, next, changes, misfits) : vanished(column, changes);
  });
  if (misfits.length > 0) refuse(misfits, stream);
  for (const column of arriving.values()) {
    changes.push(`column "${column.name}" is new (${typeName(column.type)}): NULL in the rows already there`);
    columns.push({ ...column, nullable: true });
  }
  return { columns, changes };
}

/** Equal for names that DuckDB takes for one: it folds the case of ASCII letters only. */
export function columnKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function vanished(column: StreamColumn, changes: string[]): StreamColumn {
  if (!column.nullable)
    changes.push(`column "${column.name}" is gone from the source: it may be NULL from now on`);
  return { ...column, nullable: true };
}

function meet(column: StreamColumn, next: StreamColumn, changes: string[], misfits: string[]): StreamColumn {
  const type = typeThatTakes(column.type, next);
  if (!type) {
    misfits.push(
      `column "${column.name}" is ${typeName(column.type)} in the table and ${describe(next)} in the source`,
    );
    return column;
  }
  if (typeName(type) !== typeName(column.type)) {
    const why = next.asTextBecause === undefined ? '' : `: ${next.asTextBecause}`;
    changes.push(`column "${column.name}" widens from ${typeName(column.type)} to ${typeName(type)}${why}`);
  }
  const nullable = column.nullable || next.nullable;
  if (nullable && !column.nullable) changes.push(`column "${column.name}" may be NULL from now on`);
  return { ...next, name: column.name, type, nullable };
}

function typeThatTakes(held: ColumnType, next: StreamColumn): ColumnType | null {
  // Every value can be written as text, so a column that once became text takes whatever comes later.
  if (held.kind === 'text') return held;
  if (next.type.kind === 'text' && next.asTextBecause !== undefined) return next.type;
  return widerType(held, next.type);
}

function describe(column: StreamColumn): string {
  return column.sourceType === '' || column.sourceType === typeName(column.type)
    ? typeName(column.type)
    : `${typeName(column.type)} (${column.sourceType})`;
}

function refuse(misfits: string[], stream: string): never {
  throw new ConnectorError(
    'SCHEMA',
    `"${stream}" does not fit its table: ${misfits.join('; ')}. The table is untouched.`,
    {
      fix: 'Change the column back in the source, leave it out with selectedColumns, give the stream another destinationTable, or drop the table and sync again.',
    },
  );
}

function refuseTwins(columns: readonly StreamColumn[], stream: string): void {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    const twin = seen.get(columnKey(name));
    if (twin !== undefined) {
      throw new ConnectorError(
        'SCHEMA',
        `"${stream}" has the columns "${twin}" and "${name}", which a table takes for one name.`,
        {
          fix: 'Leave one of them out with selectedColumns, or rename it in the source.',
        },
      );
    }
    seen.set(columnKey(name), name);
  }
}
