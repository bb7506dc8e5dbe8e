import type { CacheStatus } from '#warehouse/result-cache.ts';

/** What one request cost the warehouses. */
export interface Meter {
  /** Statements that were run for it; those that it shared with another request count there. */
  statements: number;
  /** How long these took, one after the other. */
  milliseconds: number;
  /** What they answered: rows, and bytes as JSON would hold them. */
  rows: number;
  bytes: number;
  /** Where the answers to its questions came from. */
  cache: Record<Lowercase<CacheStatus>, number>;
}

export function createMeter(): Meter {
  return {
    statements: 0,
    milliseconds: 0,
    rows: 0,
    bytes: 0,
    cache: { hit: 0, miss: 0, shared: 0, stale: 0 },
  };
}
