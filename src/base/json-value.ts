/** A value of a warehouse as JSON keeps it exactly: what JSON has no number or word for becomes a string. */
export function jsonOfValue(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(jsonOfValue);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, jsonOfValue(each)]));
}

/** Printable ASCII without what JSON escapes: most texts, which are then known without another look at each character. */
const plainPattern = /^[ !#-[\]-~]*$/;

/** Whether the text stands in JSON as it is, a byte a character. */
export function isPlainText(text: string): boolean {
  return plainPattern.test(text);
}

/** JSON.stringify(jsonOfValue(value)), in half the time where the value is a plain one; null for what JSON has no text for. */
export function jsonTextOf(value: unknown): string {
  if (typeof value === 'string') return isPlainText(value) ? `"${value}"` : JSON.stringify(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null || value === undefined) return 'null';
  return JSON.stringify(jsonOfValue(value)) ?? 'null';
}
