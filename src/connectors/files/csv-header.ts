import type { FileHandle } from 'node:fs/promises';
import { columnKey } from '#connectors/evolve-columns.ts';
import type { Compression } from './file-format.ts';
import { plainBytes } from './plain-bytes.ts';

/** How a CSV file is cut into fields. Quotes are always `"`, doubled inside quotes (RFC 4180). */
export interface CsvShape {
  delimiter: string;
  header: boolean;
  /** One a field, unique without regard to case. */
  names: string[];
}

const recordBytesMax = 1024 * 1024;
const delimiters = [',', ';', '\t', '|'];

/**
 * Reads names and delimiter from the beginning of a CSV file; null when the file is empty. Without a given delimiter it is
 * the one of , ; tab | that cuts the first record into most fields. Throws for text that is not UTF-8 and for a first
 * record without an end in its first megabyte.
 */
export async function readCsvShape(
  handle: FileHandle,
  compression: Compression,
  given: { delimiter: string | undefined; header: boolean },
): Promise<CsvShape | null> {
  const start = await beginningOf(handle, compression, (text) => recordEnd(text) !== -1);
  if (start.trim() === '') return null;
  const record = firstRecord(start);
  const delimiter =
    given.delimiter ??
    delimiters
      .map((each) => ({ each, fields: fieldsOf(record, each).length }))
      .sort((a, b) => b.fields - a.fields)[0]!.each;
  const fields = fieldsOf(record, delimiter);
  return {
    delimiter,
    header: given.header,
    names: given.header ? uniqueNames(fields) : uniqueNames(fields.map(() => '')),
  };
}

/** The text at the beginning of a file: until it is enough, one megabyte, or the end. Throws for text that is not UTF-8. */
export async function beginningOf(
  handle: FileHandle,
  compression: Compression,
  isEnough: (text: string) => boolean,
): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const chunk of plainBytes(handle, compression)) {
    text += decoder.decode(chunk, { stream: true });
    if (isEnough(text) || text.length > recordBytesMax) return text;
  }
  return text + decoder.decode();
}

function firstRecord(text: string): string {
  const end = recordEnd(text);
  if (end !== -1) return text.slice(0, end);
  if (text.length > recordBytesMax) throw new Error('its first line does not end within 1 MB');
  return text;
}

/** Where the first line break outside quotes is; -1 when there is none yet. */
function recordEnd(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') quoted = !quoted;
    else if (!quoted && (letter === '\n' || letter === '\r')) return at;
  }
  return -1;
}

/** The fields of one record, quotes taken off. */
export function fieldsOf(record: string, delimiter: string): string[] {
  const fields: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at <= record.length; at++) {
    if (record[at] === '"') quoted = !quoted;
    if (at < record.length && (quoted || !record.startsWith(delimiter, at))) continue;
    const field = record.slice(start, at);
    fields.push(/^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field);
    start = at + delimiter.length;
    at = start - 1;
  }
  return fields;
}

/** Names for columns: an empty one becomes "column_3", a repeated one "name_1"; case does not tell names apart. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((given, at) => {
    const name = given.trim() === '' ? `column_${at + 1}` : given.trim();
    let unique = name;
    for (let count = 1; taken.has(columnKey(unique)); count++) unique = `${name}_${count}`;
    taken.add(columnKey(unique));
    return unique;
  });
}
