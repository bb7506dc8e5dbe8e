/** 1234567 as "1,234,567". */
export function count(value: bigint | number): string {
  return value.toLocaleString('en-US');
}

/** "1 row", "3 rows". */
export function counted(value: bigint | number, one: string, many = `${one}s`): string {
  return `${count(value)} ${BigInt(value) === 1n ? one : many}`;
}

/** 1234567 as "1.2 MB". */
export function bytes(value: bigint | number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = Number(value);
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** 12345 ms as "12.3 s", 3 hours as "3 h 0 min". */
export function duration(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "250,000 rows, 31.2 MB in 1.9 s (131,579 rows/s)". */
export function throughput(rows: bigint, size: bigint, ms: number): string {
  const rate = ms > 0 ? ` (${count(Math.round((Number(rows) * 1000) / ms))} rows/s)` : '';
  return `${counted(rows, 'row')}, ${bytes(size)} in ${duration(ms)}${rate}`;
}

const columnsShownMax = 12;

/** "3 columns (id, name, at)". */
export function columnsInWords(columns: readonly { name: string }[]): string {
  const names = columns.slice(0, columnsShownMax).map((column) => column.name);
  const more = columns.length > columnsShownMax ? ', …' : '';
  return `${counted(columns.length, 'column')} (${names.join(', ')}${more})`;
}
