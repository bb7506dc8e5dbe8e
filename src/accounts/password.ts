import { hash, verify } from '@node-rs/argon2';
import { AppError } from '#base/errors.ts';

/** OWASP's first choice for argon2id, the package's default algorithm: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hashing runs on the thread pool that DuckDB and files share: two at once leave it to them. */
const runningMax = 2;
const waitingMax = 64;
let running = 0;
const waiting: (() => void)[] = [];

/** A hash of no password, so that an unknown user costs the time of a wrong password. */
const nobody =
  '$argon2id$v=19$m=19456,t=2,p=1$c2x1aWNlIG5vYm9keSBzYWx0$V7yHhBJqDqQ4NjcZJ9n2bq1mOQTQwqPG3KxL7kIvIuA';

/** The PHC string to store. Fails with RATE_LIMITED when too many wait already. */
export function hashPassword(password: string): Promise<string> {
  return inTurn(() => hash(normal(password), cost));
}

/** Whether the password is the one behind the hash. Without a hash it takes as long, and says no. */
export function isPassword(password: string, passwordHash: string | null): Promise<boolean> {
  return inTurn(async () => {
    const matches = await verify(passwordHash ?? nobody, normal(password));
    return matches && passwordHash !== null;
  });
}

/** The same letters typed on two systems are the same password. */
function normal(password: string): string {
  return password.normalize('NFKC');
}

async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  if (running >= runningMax) {
    if (waiting.length >= waitingMax) {
      throw new AppError('RATE_LIMITED', 'Too many people are signing in at this moment.', {
        fix: 'Try again in a few seconds.',
      });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    running += 1;
  }
  try {
    return await run();
  } finally {
    // The turn is handed on as it is, so that nobody who comes between takes it.
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
