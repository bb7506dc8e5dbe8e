import { columnTypeOf, whyText } from '#connectors/column-type.ts';
import { ConnectorError, type ConnectorContext } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { beginningOf, readCsvShape, type CsvShape } from './csv-header.ts';
import { brokenFile, explainScan } from './explain.ts';
import { holdUnchanged } from './hold-file.ts';
import { inferColumns, inferEach, sampleRowsMax, type Inferred } from './infer-columns.ts';
import type { ListedFile } from './list-streams.ts';
import { fieldName, jsonOptions, tableFunction, type Reader } from './reader-sql.ts';
import type { Scratch } from './scratch.ts';
import type { FileShape, FoundColumn } from './shape.ts';
import { inferredKinds, sqlText, type InferredKind } from './text-casts.ts';

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

/** What looking into files takes. */
export interface Sniffing {
  csv: CsvOptions;
  /** JSON files are read to their end, since a key may first appear anywhere. */
  thorough: boolean;
  scratch: Scratch;
  signal: AbortSignal;
  places: Pick<ConnectorContext, 'filesRoot' | 'pipesDir'>;
}

interface OpenFile {
  file: ListedFile;
  door: string;
}

/**
 * Finds the columns of files of one format and how to read them: from their first 20,000 rows, or whole when they were
 * batched as small. Throws SOURCE naming the file that cannot be read, or has changed since it was listed.
 */
export async function sniffBatch(files: readonly ListedFile[], sniffing: Sniffing): Promise<SniffedFile[]> {
  await using holding = new AsyncDisposableStack();
  const sniffed = new Map<ListedFile, SniffedFile>();
  const open: (OpenFile & { shape: CsvShape | null })[] = [];
  for (const file of files) {
    sniffing.signal.throwIfAborted();
    const held = holding.use(await holdUnchanged(file, sniffing.places));
    try {
      const start = { file, door: held.door, shape: null };
      if (file.named.format === 'parquet') {
        open.push(start);
      } else if (file.named.format === 'json') {
        // "[]" is what an empty table is exported as: DuckDB takes it for a list of something else than rows.
        const text = await beginningOf(held.handle, file.named.compression, (read) => read.length > 64);
        if (!/^\s*(\[\s*\]\s*)?$/.test(text)) open.push(start);
      } else {
        const shape = await readCsvShape(held.handle, file.named.compression, {
          delimiter: sniffing.csv.delimiter ?? (file.named.tabs ? '\t' : undefined),
          header: sniffing.csv.header ?? true,
        });
        if (shape) open.push({ ...start, shape });
      }
    } catch (error) {
      throw brokenFile(error, { door: held.door, file });
    }
  }
  try {
    for (const each of await sniffOpen(open, sniffing)) sniffed.set(each.file, each);
  } catch (error) {
    sniffing.signal.throwIfAborted();
    if (error instanceof ConnectorError) throw error;
    throw explainScan(error, open) ?? brokenFile(error, open[0]!);
  }
  return files.map((file) => sniffed.get(file) ?? nothingIn(file));
}

function nothingIn(file: ListedFile): SniffedFile {
  return { file, reader: null, shape: { columns: [], isText: true, estimatedRows: 0n } };
}

async function sniffOpen(
  open: readonly (OpenFile & { shape: CsvShape | null })[],
  sniffing: Sniffing,
): Promise<SniffedFile[]> {
  const readers = new Map<string, (typeof open)[number][]>();
  for (const each of open) {
    const { compression, lines } = each.file.named;
    const key = JSON.stringify([compression, lines, each.shape]);
    readers.set(key, [...(readers.get(key) ?? []), each]);
  }
  const sniffed: SniffedFile[] = [];
  for (const alike of readers.values()) {
    const { format } = alike[0]!.file.named;
    if (format === 'csv') sniffed.push(...(await sniffCsv(alike, alike[0]!.shape!, sniffing)));
    else if (format === 'json') sniffed.push(...(await sniffJson(alike, sniffing)));
    else for (const each of alike) sniffed.push(await sniffParquet(each, sniffing));
  }
  return sniffed;
}

async function sniffParquet({ file, door }: OpenFile, { scratch, signal }: Sniffing): Promise<SniffedFile> {
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

async function sniffCsv(
  alike: readonly OpenFile[],
  shape: CsvShape,
  sniffing: Sniffing,
): Promise<SniffedFile[]> {
  const { csv, scratch, signal } = sniffing;
  const { compression } = alike[0]!.file.named;
  const reader: Reader = { format: 'csv', compression, shape, nullString: csv.nullString ?? '' };
  const fields = shape.names.map((name, at) => ({
    sql: fieldName(at),
    name,
    candidates: inferredKinds,
    sourceType: 'csv',
  }));
  const table = tableFunction(
    reader,
    alike.map(({ door }) => door),
    { filename: alike.length > 1 },
  );
  const [only] = alike;
  const found =
    alike.length === 1
      ? new Map([[only!.door, await inferColumns(table, fields, scratch, signal)]])
      : await inferEach(table, fields, scratch, signal);
  const nothing: Inferred = {
    rows: 0,
    bytesPerRow: 0,
    columns: fields.map(({ name, sourceType }) => ({ name, sourceType, type: null })),
  };
  return alike.map(({ file, door }) => {
    const { columns, rows, bytesPerRow } = found.get(door) ?? nothing;
    const guess = compression === 'none' ? BigInt(Math.round(file.size / Math.max(bytesPerRow, 1))) : null;
    return {
      file,
      reader,
      shape: { columns, isText: true, estimatedRows: rows < sampleRowsMax ? BigInt(rows) : guess },
    };
  });
}

/** Objects are read by their keys, so that all files of a batch share one reader with the keys of all. */
async function sniffJson(alike: readonly OpenFile[], sniffing: Sniffing): Promise<SniffedFile[]> {
  const { thorough, scratch, signal } = sniffing;
  const { named } = alike[0]!.file;
  const depth = `sample_size = ${thorough ? -1 : sampleRowsMax}, maximum_depth = 2, hive_partitioning = false`;
  const described = await scratch.rows(
    `DESCRIBE SELECT * FROM read_json(${doorList(alike)}, ${jsonOptions(named)}, records = true, union_by_name = true, ${depth})`,
    signal,
  );
  await refuseTwinKeys(
    alike,
    described.map(([name]) => name!),
    sniffing,
  );
  const kinds = described.map(([name, type]) => ({
    name: name!,
    candidates: jsonCandidates(type!),
    type: type!,
  }));
  const columns = kinds.map(({ name, candidates }) => ({ name, nested: candidates === 'nested' }));
  const reader: Reader = { format: 'json', compression: named.compression, lines: named.lines, columns };
  const fields = kinds.map(({ name, candidates, type }) => {
    const isNested = candidates === 'nested';
    const sql = isNested ? `CAST(${quoteName(name)} AS VARCHAR)` : quoteName(name);
    return {
      name,
      sql,
      candidates: isNested ? [] : candidates,
      sourceType: isNested ? 'json' : type.toLowerCase(),
    };
  });
  const table = tableFunction(
    reader,
    alike.map(({ door }) => door),
  );
  const inferred = await inferColumns(table, fields, scratch, signal);
  const found = inferred.columns.map((column, at) => jsonColumn(column, kinds[at]!));
  const guess = inferred.rows < sampleRowsMax ? BigInt(inferred.rows) : null;
  return alike.map(({ file }, at) => ({
    file,
    reader,
    shape: { columns: found, isText: true, estimatedRows: at === 0 || guess === null ? guess : 0n },
  }));
}

/**
 * A key without values in the sample takes the type that DuckDB saw later in the file; one that is null everywhere may be of
 * any type, and other files say of which.
 */
function jsonColumn(
  column: FoundColumn,
  kind: { candidates: readonly InferredKind[] | 'nested'; type: string },
): FoundColumn {
  const { candidates, type } = kind;
  if (candidates === 'nested') {
    return column.type === null && type === 'JSON' ? column : { ...column, type: { kind: 'json' } };
  }
  if (column.type !== null || stringKinds.includes(candidates[0]!)) return column;
  return { ...column, type: { kind: candidates[0]! } };
}

const stringKinds: readonly InferredKind[] = ['date', 'time', 'timestamp', 'timestamptz'];

/** Of keys that differ only in case DuckDB reads the first and gives the other an invented name, "A_1", with no value. */
async function refuseTwinKeys(
  files: readonly OpenFile[],
  names: string[],
  { scratch, signal }: Sniffing,
): Promise<void> {
  const keys = new Set(names.map(columnKey));
  for (const name of names) {
    const twin = /^(.+)_\d+$/s.exec(name)?.[1];
    if (twin === undefined || !keys.has(columnKey(twin))) continue;
    const objects = `read_json_objects(${doorList(files)}, ${jsonOptions(files[0]!.file.named)})`;
    const found = await scratch.rows(
      `SELECT 1 FROM ${objects} WHERE list_contains(json_keys(json), ${sqlText(name)}) LIMIT 1`,
      signal,
    );
    if (found.length > 0) continue;
    throw new ConnectorError(
      'SOURCE',
      `"${files[0]!.file.relative}" has keys that differ from "${twin}" only in case, which a table takes for one column.`,
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
  return stringKinds;
}

function doorList(files: readonly OpenFile[]): string {
  return `[${files.map(({ door }) => sqlText(door)).join(', ')}]`;
}
