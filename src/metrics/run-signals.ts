import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { NotHere } from '#catalog/datastores.ts';
import { Prisma } from '#generated/prisma/client.ts';
import { evaluateOnce } from './evaluate-signal.ts';
import type { SignalDeps } from './signal-deps.ts';
import { refreshSignalTables } from './signal-tables.ts';

/** Whoever evaluates a signal has it for so long; another process goes on when it has died. */
const claimMs = 300_000;
const pageSize = 500;
/** The metrics of so many signals are asked at once. */
const parallel = 4;

interface DueSignal {
  id: string;
  projectId: string;
  /** The names of those that hold the tables which its metric reads. */
  datastores: string[];
}

/**
 * Evaluates each signal that is due: by its schedule, however many times were missed; since a task that has ended wrote what
 * its metric reads; or since it was never evaluated as it is now. Of several processes one evaluates it. Signals whose
 * datastore this process may not open are left to others. Returns how many were evaluated.
 */
export async function runSignals(deps: SignalDeps, stopped: AbortSignal): Promise<number> {
  await refreshSignalTables(deps);
  const opens = openings(deps);
  const due = dueSignals(deps);
  let evaluated = 0;
  const run = async (): Promise<void> => {
    for (let next = await due.next(); !next.done && !stopped.aborted; next = await due.next()) {
      const signal = next.value;
      try {
        if ((await opens(signal)) && (await evaluateDue(deps, signal, stopped))) evaluated += 1;
      } catch (error) {
        deps.log.error('A signal could not be evaluated, and is tried again.', {
          signalId: signal.id,
          error,
        });
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, run));
  return evaluated;
}

/** What makes a signal, named s, due at that moment, unless another process has it. */
function isDue(now: Date): Prisma.Sql {
  return Prisma.sql`
    s.deleted_at IS NULL AND (s.claimed_until IS NULL OR s.claimed_until <= ${now}::timestamptz)
    AND (s.evaluated_at IS NULL OR s.next_run_at <= ${now}::timestamptz OR EXISTS (
      SELECT 1 FROM signal_table st JOIN catalog_table c ON c.id = st.table_id LEFT JOIN task t ON t.id = c.task_id
      WHERE st.signal_id = s.id AND (c.synced_at > st.seen_at OR (c.synced_at IS NOT NULL AND st.seen_at IS NULL))
        AND (t.id IS NULL OR t.status NOT IN ('QUEUED', 'RUNNING', 'CANCELING'))
    ))`;
}

/** All that are due, by pages, so that those which are left to other processes do not stand before the rest. */
async function* dueSignals(deps: SignalDeps): AsyncGenerator<DueSignal, void, void> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = await deps.store.db.$queryRaw<DueSignal[]>`
      SELECT s.id::text AS id, s.project_id::text AS "projectId", ARRAY(
        SELECT DISTINCT d.name FROM signal_table st JOIN catalog_table c ON c.id = st.table_id
        JOIN datastore d ON d.id = c.datastore_id WHERE st.signal_id = s.id
      ) AS datastores
      FROM signal s WHERE s.id > ${after}::uuid AND ${isDue(deps.now())}
      ORDER BY s.id LIMIT ${pageSize}`;
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = last.id;
  }
}

/** Claims the signal and evaluates it. False when another process has it, or it is not due any more. */
async function evaluateDue(deps: SignalDeps, signal: DueSignal, stopped: AbortSignal): Promise<boolean> {
  const { id, projectId } = signal;
  const claim = await claimSignal(deps, id);
  if (claim === null) return false;
  const lost = AbortSignal.timeout(claimMs);
  const asker = { projectId, requestId: newId(), signal: AbortSignal.any([stopped, lost]) };
  try {
    const evaluation = await evaluateOnce(deps, asker, { id, claim });
    if (evaluation !== null) return true;
  } catch (error) {
    // What is unexpected keeps the claim, so that the signal is tried again when that has run out, and not every second.
    if (!stopped.aborted && !(error instanceof AppError)) throw error;
  }
  await release(deps, id, claim);
  return false;
}

/** Until when this process has the signal for itself; null when it may not have it. */
async function claimSignal(deps: SignalDeps, id: string): Promise<Date | null> {
  const now = deps.now();
  const until = new Date(now.getTime() + claimMs);
  const claimed = await deps.store.db.$executeRaw`
    UPDATE signal SET claimed_until = ${until}::timestamptz WHERE id IN (
      SELECT s.id FROM signal s WHERE s.id = ${id}::uuid AND ${isDue(now)} FOR UPDATE OF s SKIP LOCKED
    )`;
  return claimed === 1 ? until : null;
}

async function release(deps: SignalDeps, id: string, claim: Date): Promise<void> {
  await deps.store.db.signal.updateMany({
    where: { id, claimedUntil: claim },
    data: { claimedUntil: null },
  });
}

/** Whether this process may open what a signal needs; of each datastore it is found out once a step. */
function openings(deps: SignalDeps): (signal: DueSignal) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  const mayOpen = (projectId: string, name: string | undefined): Promise<boolean> => {
    const key = `${projectId} ${name ?? ''}`;
    const may = known.get(key) ?? isHere(deps, projectId, name);
    known.set(key, may);
    return may;
  };
  return async ({ projectId, datastores }) => {
    const names = datastores.length === 0 ? [undefined] : datastores;
    const each = await Promise.all(names.map((name) => mayOpen(projectId, name)));
    return each.every((may) => may);
  };
}

/** Any other failure to open it is an answer to the signal's question, and not to this one. */
async function isHere(deps: SignalDeps, projectId: string, name: string | undefined): Promise<boolean> {
  try {
    await deps.catalog.datastores.open(projectId, name);
    return true;
  } catch (error) {
    return !(error instanceof NotHere);
  }
}
