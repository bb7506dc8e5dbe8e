import {
  ConnectorError,
  type ConnectorContext,
  type ConnectorLog,
  type StreamSelection,
} from '#connectors/contract.ts';
import type { PipelineDeps } from './deps.ts';
import { storedSelections } from './stream-state.ts';

/** What a connector may use, for one project. */
export function connectorContext(
  deps: PipelineDeps,
  projectId: string,
  use: { signal: AbortSignal; log: ConnectorLog },
): ConnectorContext {
  return {
    filesRoot: deps.filesRoot,
    pipesDir: deps.pipesDir,
    signal: use.signal,
    log: use.log,
    datastore: (name) => deps.datastores.open(projectId, name),
    compared: (jobIds) => comparedBy(deps, projectId, jobIds),
    ...(deps.series && { series: (question) => deps.series!(projectId, question, use.signal) }),
  };
}

/** What each job that is or was in the project compares now: those of others may share the datastore, and are theirs to tidy up after. */
async function comparedBy(
  { store }: PipelineDeps,
  projectId: string,
  jobIds: readonly string[],
): Promise<Map<string, StreamSelection[]>> {
  const jobs = await store.db.job.findMany({
    where: { projectId, id: { in: [...jobIds] } },
    select: { id: true, deletedAt: true, streams: true },
  });
  return new Map(
    jobs.map(({ id, deletedAt, streams }) => {
      const compared = storedSelections(streams).filter(({ difference }) => difference !== undefined);
      return [id, deletedAt === null ? compared : []];
    }),
  );
}

/**
 * Runs what a connector does for somebody who waits. After `withinMs` its signal aborts and TRANSIENT is thrown, naming
 * what was being done, even if the connector does not stop.
 */
export async function withinTime<T>(
  deps: PipelineDeps,
  projectId: string,
  ask: { what: string; withinMs: number },
  run: (context: ConnectorContext) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  let lastSaid = '';
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const doing = lastSaid === '' ? '' : ` It last said: ${lastSaid}`;
    const error = new ConnectorError(
      'TRANSIENT',
      `${ask.what} did not answer within ${ask.withinMs / 1000} s.${doing}`,
      {
        fix: 'See whether the system is up and can be reached from here, then try again.',
      },
    );
    abort.abort(error);
    late.reject(error);
  }, ask.withinMs);
  const log: ConnectorLog = (_level, message) => void (lastSaid = message);
  try {
    return await Promise.race([
      run(connectorContext(deps, projectId, { signal: abort.signal, log })),
      late.promise,
    ]);
  } finally {
    clearTimeout(timer);
    late.promise.catch(() => {});
  }
}
