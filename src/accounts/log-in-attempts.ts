import { LRUCache } from 'lru-cache';
import { AppError } from '#base/errors.ts';

/** So many wrong passwords in a row are free; each further one doubles the wait. */
const freeMax = 5;
const waitMsMin = 1_000;
const waitMsMax = 60_000;
const forgetMs = 15 * 60_000;
/** Names that are guessed at once; the least recently tried is forgotten first. */
const namesMax = 10_000;

interface Tries {
  count: number;
  lastAt: number;
}

/** Slows down whoever guesses one member's password, within this process. */
export interface LogInAttempts {
  /** Counts a try as failed before its outcome is known, so that parallel guesses count too. Fails with RATE_LIMITED. */
  begin(name: string, at: Date): void;
  /** Forgets the tries: the password was right. */
  succeeded(name: string): void;
}

/** Tries that start at none. */
export function createLogInAttempts(): LogInAttempts {
  const byName = new LRUCache<string, Tries>({ max: namesMax });
  return {
    begin(name, at) {
      const now = at.getTime();
      const known = byName.get(name);
      const count = known === undefined || now - known.lastAt > forgetMs ? 0 : known.count;
      const waitMs = known === undefined ? 0 : known.lastAt + waitAfter(count) - now;
      if (waitMs > 0) throw tooMany(waitMs);
      byName.set(name, { count: count + 1, lastAt: now });
    },
    succeeded(name) {
      byName.delete(name);
    },
  };
}

function waitAfter(count: number): number {
  return count < freeMax ? 0 : Math.min(waitMsMin * 2 ** (count - freeMax), waitMsMax);
}

function tooMany(waitMs: number): AppError {
  const seconds = Math.ceil(waitMs / 1000);
  return new AppError('RATE_LIMITED', 'Too many wrong passwords for this username.', {
    fix: `Try again in ${seconds} second${seconds === 1 ? '' : 's'}.`,
  });
}
