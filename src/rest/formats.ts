import { jsonOfValue, jsonTextOf } from '#base/json-value.ts';
import type { ServedColumn } from '#endpoints/served.ts';

/** How rows are written. */
export type Format = 'json' | 'ndjson' | 'csv';

export const contentTypes: Record<Format, string> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
};

const formatOfType = new Map<string, Format>([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['text/csv', 'csv'],
  ['text/*', 'csv'],
]);

/** What the header Accept asks for, by its weights; null for none that there is. */
export function acceptedFormat(accept: string | undefined): Format | null {
  if (accept === undefined || accept.trim() === '') return 'json';
  const asked = accept.split(',').map((part, index) => {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    const weight = parameters.find((each) => each.startsWith('q='));
    return { type, weight: weight === undefined ? 1 : Number(weight.slice(2)) || 0, index };
  });
  const best = asked
    .filter(({ type, weight }) => weight > 0 && formatOfType.has(type))
    .sort((a, b) => b.weight - a.weight || a.index - b.index)[0];
  return best ? formatOfType.get(best.type)! : null;
}

/** A row as JSON, an object of its columns. Whole numbers beyond 2^53 and decimals are strings, so that they stay exact. */
export function jsonOfRow(names: readonly string[], row: readonly unknown[]): string {
  let text = '{';
  for (const [index, name] of names.entries()) {
    text += `${index === 0 ? '' : ','}${name}:${jsonTextOf(row[index])}`;
  }
  return `${text}}`;
}

/** The names of the columns, as jsonOfRow writes them. */
export function jsonNames(columns: readonly ServedColumn[]): string[] {
  return columns.map(({ name }) => JSON.stringify(name));
}

/** The first line of CSV (RFC 4180). */
export function csvHead(columns: readonly ServedColumn[]): string {
  return `${columns.map(({ name }) => csvText(name)).join(',')}\r\n`;
}

/** A line of CSV. NULL is nothing, an empty text is "". */
export function csvOfRow(row: readonly unknown[]): string {
  return `${row.map(csvOfValue).join(',')}\r\n`;
}

function csvOfValue(value: unknown): string {
  const json = jsonOfValue(value);
  if (json === null) return '';
  if (typeof json === 'string') return csvText(json);
  const text = JSON.stringify(json) ?? '';
  return typeof json === 'object' ? csvText(text) : text;
}

function csvText(text: string): string {
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
