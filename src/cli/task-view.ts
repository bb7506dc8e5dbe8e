/** How one stream stands, as a bar shows it. */
export interface StreamView {
  name: string;
  status: string;
  rowsRead: number;
  estimatedRows: number | null;
}

/** How a task stands. */
export interface TaskView {
  status: string;
  streams: StreamView[];
  rowsRead: number;
  rowsWritten: number;
  bytesRead: number;
  runtimeMs: number;
  error: { message: string; fix: string | null } | null;
}

const endings = ['SUCCEEDED', 'FAILED', 'CANCELED'];

/** Whether that status is the last one. */
export function isEnded(status: string): boolean {
  return endings.includes(status);
}

/** What the shell gets: 0 when the task has succeeded, 130 when it was canceled, else 1. */
export function exitCodeOf(status: string): number {
  if (status === 'SUCCEEDED') return 0;
  return status === 'CANCELED' ? 130 : 1;
}

const barWidth = 24;
const nameWidthMax = 32;

/**
 * One line a stream with its bar, for a terminal of that many columns and rows, and a last one for the whole task. When
 * there is not room for all, those that move come first and the others are counted.
 */
export function barLines(task: TaskView, columns: number, rowsMax = Infinity): string[] {
  const shown = choose(task.streams, rowsMax - 1);
  const nameWidth = Math.min(nameWidthMax, Math.max(0, ...shown.map(({ name }) => name.length)));
  const lines = shown.map((stream) => {
    const name = shortened(stream.name, nameWidth).padEnd(nameWidth);
    return `  ${name}  ${bar(stream)}  ${amount(stream)}`;
  });
  const hidden = task.streams.length - shown.length;
  if (hidden > 0) lines.push(`  and ${hidden} more stream${hidden === 1 ? '' : 's'}`);
  return [...lines, `  ${summaryLine(task)}`].map((line) => shortened(line, columns));
}

const byInterest = ['RUNNING', 'CANCELING', 'FAILED', 'CANCELED', 'QUEUED', 'SUCCEEDED'];

/** In the task's own order. */
function choose(streams: readonly StreamView[], linesMax: number): readonly StreamView[] {
  if (streams.length <= linesMax) return streams;
  const interest = ({ status }: StreamView) => byInterest.indexOf(status);
  const chosen = new Set(
    streams.toSorted((one, other) => interest(one) - interest(other)).slice(0, linesMax - 1),
  );
  return streams.filter((stream) => chosen.has(stream));
}

/** One plain line for a log file: where each stream that moves stands. */
export function plainLine(task: TaskView): string {
  const streams = task.streams
    .filter(({ status }) => status !== 'QUEUED')
    .map((stream) => {
      const share = percent(stream);
      return `${stream.name} ${share === null ? rows(stream.rowsRead) : `${share}%`}${isEnded(stream.status) ? ` ${stream.status.toLowerCase()}` : ''}`;
    });
  return [summaryLine(task), ...streams].join(' · ');
}

/** "running · 120,000 rows in 3.1 s, 38,700 rows/s · 12.0 MB". */
export function summaryLine(task: TaskView): string {
  const seconds = task.runtimeMs / 1000;
  const rate =
    seconds >= 0.5 && task.rowsRead > 0 ? `, ${grouped(roundedRate(task.rowsRead / seconds))} rows/s` : '';
  const size = task.bytesRead > 0 ? ` · ${bytes(task.bytesRead)}` : '';
  if (task.rowsRead === 0 && !isEnded(task.status)) return task.status.toLowerCase();
  return `${task.status.toLowerCase()} · ${rows(task.rowsRead)} in ${seconds.toFixed(1)} s${rate}${size}`;
}

/** Digits in groups of three: 1,234,567. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function rows(count: number): string {
  return `${grouped(count)} row${count === 1 ? '' : 's'}`;
}

function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = count / 1000;
  let unit = 0;
  for (; value >= 999.95 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${value.toFixed(1)} ${units[unit]}`;
}

function roundedRate(rate: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 2);
  return Math.round(rate / step) * step;
}

/** Null where the size is not known. An estimate may be too low: a stream that goes on stays under 100. */
function percent(stream: StreamView): number | null {
  if (stream.status === 'SUCCEEDED') return 100;
  if (stream.estimatedRows === null || stream.estimatedRows <= 0) return null;
  return Math.min(99, Math.floor((stream.rowsRead / stream.estimatedRows) * 100));
}

function bar(stream: StreamView): string {
  const share = percent(stream);
  const label = share === null ? '   ' : `${share}%`.padStart(4);
  const full = share === null ? 0 : Math.round((share / 100) * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${label.padStart(4)}`;
}

function amount(stream: StreamView): string {
  if (stream.status === 'QUEUED') return 'waiting';
  if (stream.status === 'FAILED' || stream.status === 'CANCELED') {
    return `${stream.status.toLowerCase()} after ${rows(stream.rowsRead)}`;
  }
  if (stream.status === 'SUCCEEDED' || stream.estimatedRows === null) return rows(stream.rowsRead);
  return `${grouped(stream.rowsRead)} of about ${rows(stream.estimatedRows)}`;
}

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
