import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountDeps, SignUpPolicy } from '#accounts/deps.ts';
import { signUp } from '#accounts/sign-up.ts';
import type { SignedIn } from '#accounts/sessions.ts';
import { InputError } from '#base/errors.ts';
import { createLog } from '#base/log.ts';
import { newId } from '#base/id.ts';
import { openStore } from '#store/open-store.ts';
import { createTestDatabase } from '../../support/database.ts';

/** Accounts over a database of their own, with a clock that the test moves. */
export interface TestAccounts extends AsyncDisposable {
  deps: AccountDeps;
  at(policy: SignUpPolicy): AccountDeps;
  /** Every projectCreated so far. */
  created: { projectId: string; memberId: string; exists: boolean }[];
  pass(ms: number): void;
  /** A member of another account, all of it new. */
  newcomer(username?: string): Promise<SignedIn>;
}

export const password = 'correct horse battery';

/** Opens the store on a clone of the migrated template. */
export async function openAccounts(): Promise<TestAccounts> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await createTestDatabase());
  const home = await mkdtemp(join(tmpdir(), 'sluice-accounts-'));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  const log = createLog('silent');
  const store = opening.use(await openStore({ databaseUrl: database.url, home, role: 'worker', log }));

  let now = Date.parse('2026-11-21T09:00:00Z');
  const created: TestAccounts['created'] = [];
  const at = (policy: SignUpPolicy): AccountDeps => ({
    store,
    log,
    signUp: policy,
    now: () => new Date(now),
    async projectCreated(tx, project, memberId) {
      const exists = (await tx.project.findUnique({ where: { id: project.id } })) !== null;
      created.push({ projectId: project.id, memberId, exists });
    },
  });
  const deps = at('open');
  const opened = opening.move();
  return {
    deps,
    at,
    created,
    pass: (ms) => void (now += ms),
    newcomer: (username = `m-${newId()}`) =>
      signUp(deps, { email: `${username}@example.com`, username, password }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The problems of the InputError that the promise rejects with, as "CODE path". */
export async function problemsOf(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(
    () => new Error('nothing failed'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof InputError)) throw error;
  return error.problems.map(({ code, path }) => `${code} ${path.join('.')}`);
}
