import type { ColumnType, StreamColumn } from '#connectors/contract.ts';
import { typeName, widerType } from '#connectors/column-type.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { isInferred } from './text-casts.ts';

/** A column of one file as it was found. */
export interface FoundColumn {
  name: string;
  /** Null when the file has no value in it that could say. */
  type: ColumnType | null;
  sourceType: string;
  asTextBecause?: string;
}

/** What was found of one file. */
export interface FileShape {
  columns: FoundColumn[];
  /** Values are text in the file, so that a number can be read as whichever number type is needed. */
  isText: boolean;
  estimatedRows: bigint | null;
}

/**
 * The columns of a stream: those of all its files by name, in the order in which they first appear. Types widen where both
 * files' values stay exact; where they cannot, the column travels as text and says which files part.
 */
export function unionShapes(files: readonly { name: string; shape: FileShape }[]): StreamColumn[] {
  const union = new Map<string, FoundColumn & { from: string }>();
  for (const { name: from, shape } of files) {
    for (const column of shape.columns) {
      const key = columnKey(column.name);
      const before = union.get(key);
      union.set(key, before ? join(before, { ...column, from }, shape.isText) : { ...column, from });
    }
  }
  return [...union.values()].map(({ from: _from, type, ...column }) => ({
    ...column,
    type: type ?? { kind: 'text' },
    nullable: true,
  }));
}

function join(
  a: FoundColumn & { from: string },
  b: FoundColumn & { from: string },
  isText: boolean,
): FoundColumn & { from: string } {
  if (a.asTextBecause !== undefined || b.type === null) return a;
  if (b.asTextBecause !== undefined || a.type === null) return { ...b, name: a.name };
  const type = widerType(a.type, b.type) ?? (isText ? widerInText(a.type, b.type) : null);
  if (type) return typeName(type) === typeName(a.type) ? a : { ...b, name: a.name, type };
  const [one, other] = [typeName(a.type), typeName(b.type)];
  return {
    ...a,
    type: { kind: 'text' },
    asTextBecause: `"${a.from}" holds ${one}, "${b.from}" ${other}`,
  };
}

/** Whole numbers in text may be read as floats: each value is held against what the float keeps. */
function widerInText(a: ColumnType, b: ColumnType): ColumnType | null {
  const kinds = [a.kind, b.kind];
  return isInferred(a) && isInferred(b) && kinds.includes('int64') && kinds.includes('float64')
    ? { kind: 'float64' }
    : null;
}
