import { styleText } from 'node:util';
import { barLines, isEnded, plainLine, summaryLine, type TaskView } from './task-view.ts';

/** Where a task's progress is printed: a terminal, or a file that lines are added to. */
export interface Screen {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
  write(text: string): unknown;
}

/** Shows a task as it goes on. */
export interface TaskPrinter {
  show(task: TaskView): void;
  /** A line that stays, above the bars. */
  line(text: string): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

const plainEveryMs = 3_000;
const drawEveryMs = 100;

/** Bars that are drawn anew in place on a terminal; elsewhere a plain line at the start, every 3 s and at the end. */
export function printTask(screen: Screen, now: () => number = Date.now): TaskPrinter {
  return screen.isTTY === true ? drawBars(screen, now) : addLines(screen, now);
}

function drawBars(screen: Screen, now: () => number): TaskPrinter {
  let drawn = 0;
  let drawnAt = -Infinity;
  let latest: TaskView | null = null;

  /** One write for all of it, so that the terminal never shows half of it. */
  function draw(above: string): void {
    const lines =
      latest === null
        ? []
        : barLines(latest, (screen.columns ?? 80) - 1, Math.max(3, (screen.rows ?? 24) - 1)).map(coloured);
    const clear = drawn > 0 ? `\u001b[${drawn}A\u001b[0J` : '';
    screen.write(`${clear}${above}${lines.map((text) => `${text}\n`).join('')}`);
    drawn = lines.length;
    drawnAt = now();
  }
  return {
    show(task) {
      latest = task;
      if (isEnded(task.status) || now() - drawnAt >= drawEveryMs) draw('');
    },
    line: (text) => draw(`${text}\n`),
    end() {
      if (latest !== null) draw('');
      drawn = 0;
    },
  };
}

function coloured(line: string): string {
  return line
    .replace(/█+/, (full) => styleText('cyan', full))
    .replace(/░+/, (rest) => styleText('dim', rest));
}

function addLines(screen: Screen, now: () => number): TaskPrinter {
  let shownAt = -Infinity;
  let shown = '';
  let latest: TaskView | null = null;

  function add(text: string): void {
    if (text !== shown) screen.write(`${text}\n`);
    shown = text;
    shownAt = now();
  }
  return {
    show(task) {
      latest = task;
      if (!isEnded(task.status) && now() - shownAt >= plainEveryMs) add(plainLine(task));
    },
    line: (text) => void screen.write(`${text}\n`),
    end() {
      if (latest !== null) add(isEnded(latest.status) ? plainLine(latest) : summaryLine(latest));
    },
  };
}
