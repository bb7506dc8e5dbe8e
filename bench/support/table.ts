import { cpus, totalmem } from 'node:os';

/** Prints rows under a title, as Markdown, so that they can stand in docs/performance.md as they are. */
export function printTable(title: string, columns: string[], rows: (string | number)[][]): void {
  const lines = [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  console.log(`\n### ${title}\n\n${lines.join('\n')}\n`);
}

/** The machine that the figures are of. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, ${memory} GiB, Node ${process.versions.node}, ${process.platform}`;
}

/** The value below which the given share of the samples lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
