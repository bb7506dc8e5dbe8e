export type FileFormat = 'csv' | 'json' | 'parquet';
export type Compression = 'none' | 'gzip' | 'zstd';

export interface NamedFormat {
  format: FileFormat;
  compression: Compression;
  /** The name without what says format and compression: a stream's name. */
  stem: string;
  /** .jsonl and .ndjson hold one object a line; .json may also hold one list. */
  lines: boolean;
  /** .tsv separates by tabs unless the config says otherwise. */
  tabs: boolean;
}

const formats: Record<string, FileFormat> = {
  csv: 'csv',
  tsv: 'csv',
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  parquet: 'parquet',
};
const compressions: Record<string, Compression> = { gz: 'gzip', zst: 'zstd' };

/** The endings that are read without a `format` in the config, for messages. */
export const knownEndings = '.csv .tsv .json .jsonl .ndjson (each also .gz .zst) and .parquet';

/**
 * What a file's name says of its content; null when the file is not to be read. With `given`, files without a known ending
 * are read as that format, and those of another format are not. Names that begin with "." or "_" are never read.
 */
export function formatOf(name: string, given: FileFormat | undefined): NamedFormat | null {
  if (name.startsWith('.') || name.startsWith('_')) return null;
  const parts = name.split('.');
  const compression = parts.length > 1 ? compressions[parts.at(-1)!.toLowerCase()] : undefined;
  if (compression !== undefined) parts.pop();
  const ending = parts.length > 1 ? parts.at(-1)!.toLowerCase() : '';
  const named = formats[ending];
  const format = given ?? named;
  if (format === undefined || (named !== undefined && named !== format)) return null;
  if (format === 'parquet' && compression !== undefined) return null;
  if (parts.length > 1) parts.pop();
  return {
    format,
    compression: compression ?? 'none',
    stem: parts.join('.'),
    lines: ending === 'jsonl' || ending === 'ndjson',
    tabs: ending === 'tsv',
  };
}
