import { isPlainText } from '#base/json-value.ts';

/** How many bytes the value takes in JSON, its comma included. */
export function jsonBytes(value: unknown): number {
  if (value === null) return 5;
  if (typeof value === 'string') {
    if (isPlainText(value)) return value.length + 3;
    // The others need not be copied to be counted where JSON escapes none of their characters.
    return escaped.test(value) ? Buffer.byteLength(JSON.stringify(value)) + 1 : Buffer.byteLength(value) + 3;
  }
  if (typeof value === 'object') return Buffer.byteLength(JSON.stringify(value)) + 1;
  return (value as boolean | number | bigint).toString().length + 1;
}

/** Quotes, backslashes, control characters, and halves of characters. */
const escaped = /["\\\p{Cc}\p{Cs}]/u;
