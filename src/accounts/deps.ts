import type { Log } from '#base/log.ts';
import type { Store, Tx } from '#store/open-store.ts';

/** Who may make an account: nobody but the first to come, everybody, or nobody. */
export type SignUpPolicy = 'first' | 'open' | 'closed';

/** What the functions of accounts/ need of the process they run in. */
export interface AccountDeps {
  store: Store;
  log: Log;
  signUp: SignUpPolicy;
  /** Called in the transaction that makes a project, before it commits: what every project starts with is made here. */
  projectCreated(tx: Tx, project: { id: string }, memberId: string): Promise<void>;
  now(): Date;
}
