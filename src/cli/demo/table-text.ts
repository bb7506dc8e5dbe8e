const cellWidthMax = 28;

/** How many columns to fill: those of the terminal within reason, or of a page where there is none. */
export function shownWidth(): number {
  return Math.min(process.stdout.columns ?? 110, 160);
}

/** Rows as a table of text, cut to the width of the terminal; the cut is shown by an ellipsis. Numbers end in one line. */
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
  const isNumeric = columns.map((_, column) =>
    body.every((row) => /^([-+]?[\d,.]+%?|–|)$/.test(row[column] ?? '')),
  );
  const line = (row: readonly string[]) =>
    cut(
      row
        .map((text, column) =>
          isNumeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
        )
        .join('  '),
      width,
    ).trimEnd();
  return [line(head), cut(widths.map((length) => '─'.repeat(length)).join('  '), width), ...body.map(line)];
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** SQL with a line for each clause, folded at spaces where it is wider. */
export function sqlText(sql: string, width: number): string[] {
  const clauses = sql.replaceAll(/ (?=(?:FROM|LEFT JOIN|WHERE|GROUP BY|ORDER BY|UNION ALL) )/g, '\n');
  return clauses.split('\n').flatMap((line) => folded(line, width));
}

function folded(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const at = line.lastIndexOf(' ', width);
  if (at <= 4) return [line];
  return [line.slice(0, at), ...folded(`    ${line.slice(at + 1)}`, width)];
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
