const cellWidthMax = 28;

/** Rows as a table of text, cut to the width of the terminal; the cut is shown by an ellipsis. */
export function tableText(
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  width: number,
): string[] {
  const cells = [columns, ...rows.map((row) => row.map(cellText))].map((row) =>
    row.map((text) => cut(text, cellWidthMax)),
  );
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const [head = [], ...body] = cells;
  const line = (row: readonly string[]) =>
    cut(row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '), width).trimEnd();
  return [line(head), cut(widths.map((length) => '─'.repeat(length)).join('  '), width), ...body.map(line)];
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
