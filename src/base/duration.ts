const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What parseDuration reads, for JSON Schema. */
export const durationPattern = '^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$';

/** Milliseconds of "100ms", "5s", "1m", "2h" or "1d"; null for anything else. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = new RegExp(durationPattern).exec(text) ?? [];
  return count === undefined ? null : Number(count) * unitMs[unit as keyof typeof unitMs];
}
