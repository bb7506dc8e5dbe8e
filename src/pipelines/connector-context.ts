import { ConnectorError, type ConnectorContext, type ConnectorLog } from '#connectors/contract.ts';
import type { PipelineDeps } from './deps.ts';

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
  };
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
