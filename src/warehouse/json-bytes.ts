/** How many bytes the value takes in JSON, its comma included. */
export function jsonBytes(value: unknown): number {
  if (value === null) return 5;
  if (typeof value === 'string') {
    // Few texts hold what JSON escapes; the others need not be copied to be counted.
    return escaped.test(value) ? Buffer.byteLength(JSON.stringify(value)) + 1 : Buffer.byteLength(value) + 3;
  }
  if (typeof value === 'object') return Buffer.byteLength(JSON.stringify(value)) + 1;
  return (value as boolean | number | bigint).toString().length + 1;
}

/** Quotes, backslashes and control characters. */
const escaped = /["\\\p{Cc}]/u;
