import { inputError } from '#base/errors.ts';
import type { AccountDeps } from './deps.ts';
import { createLogInAttempts, type LogInAttempts } from './log-in-attempts.ts';
import { isPassword } from './password.ts';
import { startSession, type SignedIn } from './sessions.ts';
import type { Viewer } from './viewer.ts';

export interface LogInInput {
  /** The username or the email address. */
  username: string;
  password: string;
}

/** One count of tries a store: deps may be remade, the members behind them stay the same. */
const attemptsByStore = new WeakMap<object, LogInAttempts>();

/**
 * Signs a member in, in the account's first project. An unknown user and a wrong password give the same problem after
 * the same time. Fails with RATE_LIMITED after too many wrong passwords for one member.
 */
export async function logIn(deps: AccountDeps, input: LogInInput): Promise<SignedIn> {
  const name = input.username.trim().toLowerCase();
  const member = await deps.store.db.member.findFirst({
    where: name.includes('@') ? { email: name } : { username: name },
    select: {
      id: true,
      accountId: true,
      username: true,
      role: true,
      passwordHash: true,
      account: {
        select: {
          projects: { select: { id: true }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }], take: 1 },
        },
      },
    },
  });
  const attempts = attemptsOf(deps);
  // Username and email of one member are one count.
  const counted = member?.username ?? name;
  attempts.begin(counted, deps.now());
  const isRight = await isPassword(input.password, member?.passwordHash ?? null);
  const project = member?.account.projects[0];
  if (!isRight || member === null || project === undefined) {
    throw inputError(
      'INVALID',
      ['password'],
      'The username or the password is wrong.',
      'Check both and try again.',
    );
  }
  attempts.succeeded(counted);
  return await deps.store.db.$transaction((tx) => startSession(tx, member, project.id, deps.now()));
}

/** Ends the viewer's session. Whoever has none is signed out already; an API key is refused, for it is revoked instead. */
export async function logOut(deps: AccountDeps, viewer: Viewer | null): Promise<void> {
  if (viewer === null) return;
  if (viewer.sessionId === null) {
    throw inputError(
      'NOT_ALLOWED',
      [],
      'An API key has no session to end.',
      'To end its access, revoke the key.',
    );
  }
  await deps.store.db.session.deleteMany({ where: { id: viewer.sessionId } });
}

function attemptsOf(deps: AccountDeps): LogInAttempts {
  let attempts = attemptsByStore.get(deps.store);
  if (attempts === undefined) {
    attempts = createLogInAttempts();
    attemptsByStore.set(deps.store, attempts);
  }
  return attempts;
}
