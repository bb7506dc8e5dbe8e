import type { Scratch } from './scratch.ts';
import type { FoundColumn } from './shape.ts';
import { keepsExactly, type InferredKind } from './text-casts.ts';

/** A field that is text in the file, and the types it is held against. */
export interface TextField {
  /** How SQL names it. */
  sql: string;
  name: string;
  candidates: readonly InferredKind[];
  sourceType: string;
}

/** What was found of the text fields of one file. */
export interface Inferred {
  columns: FoundColumn[];
  rows: number;
  bytesPerRow: number;
}

/** Rows looked at in a file that is too large to be looked at whole. */
export const sampleRowsMax = 20_000;
const firstRowsMax = 200;

/**
 * The narrowest types that keep every value of the sample. The first rows rule most types out, so that the whole sample is
 * held against few: 100 columns of 20,000 rows take 0.5 s instead of 4.
 */
export async function inferColumns(
  table: string,
  fields: readonly TextField[],
  scratch: Scratch,
  signal: AbortSignal,
): Promise<Inferred> {
  const sample = (rowsMax: number) => `(SELECT * FROM ${table} LIMIT ${rowsMax})`;
  const first = await heldAgainst(`FROM ${sample(firstRowsMax)}`, fields, scratch, signal);
  const isAll = first[0]!.rows < firstRowsMax;
  const left = fields.map((field, at) => ({ ...field, candidates: first[0]!.fields[at]!.kinds }));
  const all = isAll ? first : await heldAgainst(`FROM ${sample(sampleRowsMax)}`, left, scratch, signal);
  return inferredOf(all[0]!, fields);
}

/** The same for each of several small files that are read by one call whole, by their paths. Files without rows are missing. */
export async function inferEach(
  table: string,
  fields: readonly TextField[],
  scratch: Scratch,
  signal: AbortSignal,
): Promise<Map<string, Inferred>> {
  const files = await heldAgainst(`FROM ${table} GROUP BY filename`, fields, scratch, signal, 'filename');
  return new Map(files.map((each) => [each.of, inferredOf(each, fields)]));
}

interface Held {
  of: string;
  rows: number;
  bytesPerRow: number;
  fields: { values: number; isNumeric: boolean; kinds: InferredKind[] }[];
}

async function heldAgainst(
  from: string,
  fields: readonly TextField[],
  scratch: Scratch,
  signal: AbortSignal,
  of = "''",
): Promise<Held[]> {
  const counts = fields.flatMap(({ sql, candidates }) => {
    const some = `FILTER (WHERE ${sql} <> '')`;
    return [
      `count(*) ${some}`,
      `coalesce(bool_and(TRY_CAST(${sql} AS DOUBLE) IS NOT NULL) ${some}, false)`,
      ...candidates.map((kind) => `coalesce(bool_and(${keepsExactly(sql, kind)}) ${some}, false)`),
    ];
  });
  const width = fields.map(({ sql }) => `coalesce(strlen(${sql}), 0) + 1`).join(' + ') || '0';
  const what = [of, 'count(*)', `coalesce(avg(${width}), 0)`, ...counts].join(', ');
  const answers = await scratch.rows(`SELECT ${what} ${from}`, signal);
  return answers.map(([file, rows, bytesPerRow, ...cells]) => {
    let at = 0;
    const found = fields.map(({ candidates }) => {
      const values = Number(cells[at++]);
      const isNumeric = cells[at++] === 'true';
      const kinds = candidates.filter(() => cells[at++] === 'true' || values === 0);
      return { values, isNumeric, kinds };
    });
    return { of: file ?? '', rows: Number(rows), bytesPerRow: Number(bytesPerRow), fields: found };
  });
}

function inferredOf({ rows, bytesPerRow, fields: found }: Held, fields: readonly TextField[]): Inferred {
  const columns = fields.map(({ name, sourceType, candidates }, at): FoundColumn => {
    const { values, kinds, isNumeric } = found[at]!;
    if (values === 0) return { name, type: null, sourceType };
    if (kinds[0] !== undefined) return { name, type: { kind: kinds[0] }, sourceType };
    const wasNumber = isNumeric && candidates.includes('float64');
    return {
      name,
      type: { kind: 'text' },
      sourceType,
      ...(wasNumber ? { asTextBecause: inexactNumbers } : {}),
    };
  });
  return { columns, rows, bytesPerRow };
}

const inexactNumbers = 'its numbers have leading zeros, plus signs, or more digits than a number type keeps';
