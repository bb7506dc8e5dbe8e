import type { SignalState } from '#generated/prisma/enums.ts';

/** What a signal has told so far. */
export interface Told {
  /** When it last told that it is triggered; null for never. */
  notifiedAt: Date | null;
  /** Whether that still stands. */
  alarmed: boolean;
}

export type SignalEvent = 'triggered' | 'resolved';

/**
 * What is to be told of a new state, and what has been told then. It is told once that a signal is triggered, and once that
 * it is over. With a cooldown, what stays triggered is told again after it, and what comes and goes no sooner. NO_DATA tells
 * nothing and ends nothing.
 */
export function noticeOf(
  state: SignalState,
  at: Date,
  signal: Told & { cooldownMinutes: number },
): { event: SignalEvent | null; told: Told } {
  const { notifiedAt, alarmed, cooldownMinutes } = signal;
  const told = { notifiedAt, alarmed };
  if (state === 'OK' && alarmed) return { event: 'resolved', told: { ...told, alarmed: false } };
  if (state !== 'TRIGGERED') return { event: null, told };
  const againAt = notifiedAt === null ? 0 : notifiedAt.getTime() + cooldownMinutes * 60_000;
  const isQuiet = at.getTime() < againAt || (alarmed && cooldownMinutes === 0);
  if (isQuiet) return { event: null, told };
  return { event: 'triggered', told: { notifiedAt: at, alarmed: true } };
}
