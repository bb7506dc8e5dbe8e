import type { CacheStatus } from '#warehouse/result-cache.ts';
import type { Answer } from '#warehouse/warehouse.ts';

/** What statements cost. */
export interface Cost {
  statements: number;
  /** How long they took, one after the other. */
  milliseconds: number;
  /** What they answered: rows, and bytes as JSON would hold them. */
  rows: number;
  bytes: number;
}

/** What one request cost the warehouses: the statements that it shared with another request count there. */
export interface Meter extends Cost {
  /** Where the answers to its questions came from. */
  cache: Record<Lowercase<CacheStatus>, number>;
}

export function createMeter(): Meter {
  return { ...noCost(), cache: { hit: 0, miss: 0, shared: 0, stale: 0 } };
}

export function noCost(): Cost {
  return { statements: 0, milliseconds: 0, rows: 0, bytes: 0 };
}

/** Runs a statement and counts what it cost, also when it fails. */
export async function metered(cost: Cost, run: () => Promise<Answer>): Promise<Answer> {
  const startedAt = performance.now();
  cost.statements += 1;
  try {
    const answer = await run();
    cost.rows += answer.rows.length;
    cost.bytes += answer.bytes;
    return answer;
  } finally {
    cost.milliseconds += performance.now() - startedAt;
  }
}

/** To be called when a datastore begins to work for somebody, and what it gives once it has ended. */
export type Working = () => () => void;

/** Runs a statement, and tells for how long it had its turn, also when it fails. */
export async function whileWorking<T>(
  working: Working | undefined,
  run: (started: () => void) => Promise<T>,
): Promise<T> {
  let ended: (() => void) | undefined;
  try {
    return await run(() => {
      ended = working?.();
    });
  } finally {
    ended?.();
  }
}

export function addCost(to: Cost, cost: Cost): void {
  to.statements += cost.statements;
  to.milliseconds += cost.milliseconds;
  to.rows += cost.rows;
  to.bytes += cost.bytes;
}
