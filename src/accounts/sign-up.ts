import { InputError, inputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import type { AccountDeps } from './deps.ts';
import { hashPassword } from './password.ts';
import { parseSignUp, type SignUpInput } from './parse-sign-up.ts';
import { startSession, type SignedIn } from './sessions.ts';

/**
 * Makes an account with its first project and its owner, signed in. Fails with every problem of the input at once, with
 * NOT_ALLOWED when sign-up is closed, and with NOT_UNIQUE when the username or the email is in use.
 */
export async function signUp(deps: AccountDeps, input: SignUpInput): Promise<SignedIn> {
  // Asked before the password is hashed, too: a closed door should cost nothing.
  await demandOpen(deps, deps.store.db);
  const person = parseSignUp(input);
  await demandFree(deps.store.db, person);
  const passwordHash = await hashPassword(person.password);
  try {
    return await deps.store.db.$transaction(async (tx) => {
      // Of several who would be the first one goes on, and the others wait for what it makes of it.
      if (deps.signUp === 'first') await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(7236517001)`;
      await demandOpen(deps, tx);
      return await createAccount(deps, tx, { ...person, passwordHash });
    });
  } catch (error) {
    // Someone took the name between the question and the insert.
    if (isUniqueViolation(error)) await demandFree(deps.store.db, person);
    throw error;
  }
}

/** Whether whoever comes now may sign up. */
export async function isSignUpOpen(deps: AccountDeps, tx: Tx = deps.store.db): Promise<boolean> {
  if (deps.signUp !== 'first') return deps.signUp === 'open';
  return (await tx.account.findFirst({ select: { id: true } })) === null;
}

async function demandOpen(deps: AccountDeps, tx: Tx): Promise<void> {
  if (await isSignUpOpen(deps, tx)) return;
  const why = deps.signUp === 'first' ? 'this Sluice has its account already.' : 'it is closed here.';
  throw inputError(
    'NOT_ALLOWED',
    [],
    `Nobody can sign up: ${why}`,
    'Log in, or let who runs this Sluice set SLUICE_SIGN_UP=open.',
  );
}

async function createAccount(
  deps: AccountDeps,
  tx: Tx,
  person: { username: string; email: string; accountName: string; passwordHash: string },
): Promise<SignedIn> {
  const now = deps.now();
  const account = { id: newId(), name: person.accountName, createdAt: now };
  const project = { id: newId(), accountId: account.id, slug: 'default', name: 'Default', createdAt: now };
  const { username, email, passwordHash } = person;
  const role = 'OWNER' as const;
  const member = { id: newId(), accountId: account.id, username, email, passwordHash, role, createdAt: now };
  await tx.account.create({ data: account });
  await tx.project.create({ data: project });
  await tx.member.create({ data: member });
  await deps.projectCreated(tx, { id: project.id }, member.id);
  const signedIn = await startSession(tx, member, project.id, now);
  deps.log.info('account created', { accountId: account.id, memberId: member.id });
  return signedIn;
}

async function demandFree(tx: Tx, person: { username: string; email: string }): Promise<void> {
  const { username, email } = person;
  const holders = await tx.member.findMany({
    where: { OR: [{ username }, { email }] },
    select: { username: true, email: true },
  });
  const problems = [];
  if (holders.some((holder) => holder.username === username)) {
    const message = `The username "${username}" is taken.`;
    problems.push({ code: 'NOT_UNIQUE' as const, path: ['username'], message, fix: 'Choose another one.' });
  }
  if (holders.some((holder) => holder.email === email)) {
    const message = 'No account can be made with this email address.';
    problems.push({
      code: 'NOT_UNIQUE' as const,
      path: ['email'],
      message,
      fix: 'Log in, or use another address.',
    });
  }
  if (problems.length > 0) throw new InputError(problems);
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}
