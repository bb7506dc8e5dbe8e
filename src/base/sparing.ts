import type { Log } from './log.ts';

/** Warns of what may happen with every request. */
export interface SparingLog {
  /** Writes the first of a kind at once, and then one line in each second: the last of it, and how many were left out. */
  warn(kind: string, message: string, fields: Record<string, unknown>): void;
}

/** What was left out of a kind in the running second, the last of it for the line that ends it. */
interface LeftOut {
  count: number;
  last: Record<string, unknown>;
}

const lineMs = 1_000;
const known = new WeakMap<Log, SparingLog>();

/** The one that writes to the log. */
export function sparing(log: Log): SparingLog {
  const found = known.get(log) ?? openSparing(log);
  known.set(log, found);
  return found;
}

function openSparing(log: Log): SparingLog {
  const kinds = new Map<string, LeftOut>();
  const wait = (kind: string, message: string): void => {
    setTimeout(() => {
      const { count, last } = kinds.get(kind)!;
      kinds.delete(kind);
      if (count === 0) return;
      log.warn(message, { ...last, leftOut: count - 1 });
      kinds.set(kind, { count: 0, last });
      wait(kind, message);
    }, lineMs).unref();
  };
  return {
    warn(kind, message, fields) {
      const leftOut = kinds.get(kind);
      if (leftOut) {
        leftOut.count += 1;
        leftOut.last = fields;
        return;
      }
      log.warn(message, fields);
      kinds.set(kind, { count: 0, last: fields });
      wait(kind, message);
    },
  };
}
