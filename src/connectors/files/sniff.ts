import { columnTypeOf, whyText } from '#connectors/column-type.ts';
import { ConnectorError, type ConnectorContext } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { beginningOf, readCsvShape } from './csv-header.ts';
import { brokenFile } from './explain.ts';
import { holdUnchanged } from './hold-file.ts';
import type { ListedFile } from './list-streams.ts';
import { fieldName, jsonOptions, tableFunction, type Reader } from './reader-sql.ts';
import type { Scratch } from './scratch.ts';
import type { FileShape, FoundColumn } from './shape.ts';
import { inferredKinds, keepsExactly, sqlText, type InferredKind } from './text-casts.ts';

/** What the config says of CSV files. */
export interface CsvOptions {
  delimiter?: string;
  header?: boolean;
  nullString?: string;
}

export interface SniffedFile {
  file: ListedFile;
  shape: FileShape;
  /** Null for a file without anything in it. */
  reader: Reader | null;
}

const sampleRowsMax = 20_000;
const firstRowsMax = 200;

/**
 * Finds a file's columns and how to read it, from its first 20,000 rows; `thorough` reads a JSON file to its end, since a
 * key may first appear anywhere. Throws SOURCE naming the file when it cannot be read, or has changed since it was listed.
 */
export async function sniffFile(
  file: ListedFile,
  options: { csv: CsvOptions; thorough: boolean },
  scratch: Scratch,
  context: Pick<ConnectorContext, 'filesRoot' | 'pipesDir' | 'signal'>,
): Promise<SniffedFile> {
  await using held = await holdUnchanged(file, context);
  if (held.stats.size === 0) return nothingIn(file);
  try {
    if (file.named.format === 'parquet') return await sniffParquet(file, held.door, scratch, context.signal);
    if (file.named.format === 'json') {
      // What an empty table is exported as: DuckDB takes it for a list of something else than rows.
      const start = await beginningOf(held.handle, file.named.compression, (text) => text.length > 64);
      if (/^\s*(\[\s*\]\s*)?$/.test(start)) return nothingIn(file);
      return await sniffJson(file, held.door, options.thorough, scratch, context.signal);
    }
    const shape = await readCsvShape(held.handle, file.named.compression, {
      delimiter: options.csv.delimiter ?? (file.named.tabs ? '\t' : undefined),
      header: options.csv.header ?? true,
    });
    if (!shape) return nothingIn(file);
    const { compression } = file.named;
    const reader: Reader = { format: 'csv', compression, shape, nullString: options.csv.nullString ?? '' };
    return { file, reader, shape: await csvColumns(reader, file, held.door, scratch, context.signal) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof ConnectorError) throw error;
    throw brokenFile(error, { door: held.door, file });
  }
}

function nothingIn(file: ListedFile): SniffedFile {
  return { file, reader: null, shape: { columns: [], isText: true, estimatedRows: 0n } };
}

async function sniffParquet(
  file: ListedFile,
  door: string,
  scratch: Scratch,
  signal: AbortSignal,
): Promise<SniffedFile> {
  const table = tableFunction({ format: 'parquet', columns: [] }, [door]);
  const described = await scratch.rows(`DESCRIBE SELECT * FROM ${table}`, signal);
  const [[rows] = []] = await scratch.rows(
    `SELECT num_rows FROM parquet_file_metadata(${sqlText(door)})`,
    signal,
  );
  const columns = described.map(([name, type]) => ({ name: name!, duckDbType: type! }));
  const found = columns.map(({ name, duckDbType }): FoundColumn => {
    // Instants of whole microseconds are the rule in files written by pandas; the scan refuses others by value.
    if (duckDbType === 'TIMESTAMP_NS') return { name, type: { kind: 'timestamp' }, sourceType: duckDbType };
    const because = whyText(duckDbType);
    const type = because === undefined ? columnTypeOf(duckDbType) : ({ kind: 'text' } as const);
    return {
      name,
      type,
      sourceType: duckDbType,
      ...(because === undefined ? {} : { asTextBecause: because }),
    };
  });
  const shape = { columns: found, isText: false, estimatedRows: rows == null ? null : BigInt(rows) };
  return { file, shape, reader: { format: 'parquet', columns } };
}

async function sniffJson(
  file: ListedFile,
  door: string,
  thorough: boolean,
  scratch: Scratch,
  signal: AbortSignal,
): Promise<SniffedFile> {
  const { compression, lines } = file.named;
  const options = `${jsonOptions(file.named)}, records = true, sample_size = ${thorough ? -1 : sampleRowsMax}, maximum_depth = 2`;
  const described = await scratch.rows(
    `DESCRIBE SELECT * FROM read_json([${sqlText(door)}], ${options}, hive_partitioning = false)`,
    signal,
  );
  await refuseTwinKeys(
    file,
    door,
    described.map(([name]) => name!),
    scratch,
    signal,
  );
  const kinds = described.map(([name, type]) => ({
    name: name!,
    candidates: jsonCandidates(type!),
    sourceType: type!,
  }));
  const columns = kinds.map(({ name, candidates }) => ({ name, nested: candidates === 'nested' }));
  const reader: Reader = { format: 'json', compression, lines, columns };
  const plain = kinds.flatMap(({ name, candidates, sourceType }) =>
    candidates === 'nested'
      ? []
      : [{ sql: `"${name.replaceAll('"', '""')}"`, name, candidates, sourceType: sourceType.toLowerCase() }],
  );
  const inferred = await inferColumns(tableFunction(reader, [door]), plain, scratch, signal);
  const found = kinds.map(
    ({ name }) =>
      inferred.columns.find((column) => column.name === name) ?? {
        name,
        type: { kind: 'json' as const },
        sourceType: 'json',
      },
  );
  const estimatedRows = inferred.rows < sampleRowsMax ? BigInt(inferred.rows) : null;
  return { file, reader, shape: { columns: found, isText: true, estimatedRows } };
}

/** Of keys that differ only in case DuckDB reads the first and gives the other an invented name, "A_1", with no value. */
async function refuseTwinKeys(
  file: ListedFile,
  door: string,
  names: string[],
  scratch: Scratch,
  signal: AbortSignal,
): Promise<void> {
  const keys = new Set(names.map(columnKey));
  for (const name of names) {
    const twin = /^(.+)_\d+$/s.exec(name)?.[1];
    if (twin === undefined || !keys.has(columnKey(twin))) continue;
    const objects = `read_json_objects([${sqlText(door)}], ${jsonOptions(file.named)})`;
    const found = await scratch.rows(
      `SELECT 1 FROM ${objects} WHERE list_contains(json_keys(json), ${sqlText(name)}) LIMIT 1`,
      signal,
    );
    if (found.length > 0) continue;
    throw new ConnectorError(
      'SOURCE',
      `"${file.relative}" has keys that differ from "${twin}" only in case, which a table takes for one column.`,
      {
        fix: 'Rename one of the keys in the file.',
      },
    );
  }
}

/** What DuckDB saw of a key decides which types its text is held against: a string "123" in JSON is not a number. */
function jsonCandidates(type: string): readonly InferredKind[] | 'nested' {
  if (/^(STRUCT|MAP|JSON)\b|\]$/.test(type)) return 'nested';
  if (type === 'BOOLEAN') return ['boolean'];
  // A fraction somewhere in the file, if not in the sample.
  if (type === 'DOUBLE') return ['float64'];
  if (type.endsWith('INT')) return ['int64', 'float64'];
  return ['date', 'time', 'timestamp', 'timestamptz'];
}

async function csvColumns(
  reader: Extract<Reader, { format: 'csv' }>,
  file: ListedFile,
  door: string,
  scratch: Scratch,
  signal: AbortSignal,
): Promise<FileShape> {
  const fields = reader.shape.names.map((name, at) => ({
    sql: fieldName(at),
    name,
    candidates: inferredKinds,
    sourceType: 'csv',
  }));
  const { columns, rows, bytesPerRow } = await inferColumns(
    tableFunction(reader, [door]),
    fields,
    scratch,
    signal,
  );
  const guess =
    file.named.compression === 'none' ? BigInt(Math.round(file.size / Math.max(bytesPerRow, 1))) : null;
  return { columns, isText: true, estimatedRows: rows < sampleRowsMax ? BigInt(rows) : guess };
}

interface TextField {
  sql: string;
  name: string;
  candidates: readonly InferredKind[];
  sourceType: string;
}

/**
 * The narrowest type that keeps every value of the sample. The first rows rule most types out, so that the whole sample is
 * held against few: 100 columns of 20,000 rows take 0.5 s instead of 4.
 */
async function inferColumns(
  table: string,
  fields: readonly TextField[],
  scratch: Scratch,
  signal: AbortSignal,
): Promise<{ columns: FoundColumn[]; rows: number; bytesPerRow: number }> {
  const first = await holdAgainst(table, fields, firstRowsMax, scratch, signal);
  const left = fields.map((field, at) => ({ ...field, candidates: first.fields[at]!.kinds }));
  const all =
    first.rows < firstRowsMax ? first : await holdAgainst(table, left, sampleRowsMax, scratch, signal);
  const columns = fields.map((field, at): FoundColumn => {
    const { values, kinds, isNumeric } = all.fields[at]!;
    const { name, sourceType } = field;
    if (values === 0) return { name, type: null, sourceType };
    if (kinds[0] !== undefined) return { name, type: { kind: kinds[0] }, sourceType };
    const wasNumber = isNumeric && field.candidates.includes('float64');
    return {
      name,
      type: { kind: 'text' },
      sourceType,
      ...(wasNumber ? { asTextBecause: inexactNumbers } : {}),
    };
  });
  return { columns, rows: all.rows, bytesPerRow: all.bytesPerRow };
}

const inexactNumbers = 'its numbers have leading zeros, plus signs, or more digits than a number type keeps';

async function holdAgainst(
  table: string,
  fields: readonly TextField[],
  rowsMax: number,
  scratch: Scratch,
  signal: AbortSignal,
) {
  const counts = fields.flatMap(({ sql, candidates }) => {
    const some = `FILTER (WHERE ${sql} <> '')`;
    return [
      `count(*) ${some}`,
      `coalesce(bool_and(TRY_CAST(${sql} AS DOUBLE) IS NOT NULL) ${some}, false)`,
      ...candidates.map((kind) => `coalesce(bool_and(${keepsExactly(sql, kind)}) ${some}, false)`),
    ];
  });
  const width = fields.map(({ sql }) => `coalesce(strlen(${sql}), 0) + 1`).join(' + ') || '0';
  const [[rows, bytesPerRow, ...cells] = []] = await scratch.rows(
    `SELECT count(*), coalesce(avg(${width}), 0), ${[...counts, 'true'].join(', ')} FROM (SELECT * FROM ${table} LIMIT ${rowsMax})`,
    signal,
  );
  let at = 0;
  const answers = fields.map(({ candidates }) => {
    const values = Number(cells[at++]);
    const isNumeric = cells[at++] === 'true';
    const kinds = candidates.filter(() => cells[at++] === 'true' || values === 0);
    return { values, isNumeric, kinds };
  });
  return { rows: Number(rows), bytesPerRow: Number(bytesPerRow), fields: answers };
}
