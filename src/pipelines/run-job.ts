import type { DestinationSession, SourceSession } from '#connectors/contract.ts';
import { streamName } from './check-streams.ts';
import { connectorContext } from './connector-context.ts';
import { configOfRow } from './end-config.ts';
import { begun, type Run, setStatus, triesAgain, tryStream } from './run.ts';
import { runStream } from './run-stream.ts';
import { storedSelections } from './stream-state.ts';
import type { JobWithEnds } from './task-owner.ts';
import { isEnded } from './task-state.ts';

/** Runs every stream of a job's task that is not done. What fails one of them is kept, and the next one runs. */
export async function runJob(run: Run, job: JobWithEnds): Promise<void> {
  const { deps, hold, rows } = run;
  hold.log(
    'INFO',
    null,
    `${begun(run)}: reading from source "${job.source.name}" into destination "${job.destination.name}".`,
  );
  await hold.flush();
  await using sessions = await openSessions(run, job);
  const { source, destination } = sessions;
  // What the task began with: its streams' names and order. What the job asks of each is what it asks now.
  const selections = new Map(storedSelections(job.streams).map((each) => [streamName(each), each]));
  for (const row of rows) {
    if (isEnded(row.status)) continue;
    hold.signal.throwIfAborted();
    const selection = selections.get(streamName(row));
    if (!selection) {
      hold.log('WARN', streamName(row), 'The job does not ask for this stream any more: it is left out.');
      setStatus(run, row, 'CANCELED');
      continue;
    }
    const ofRun = {
      deps,
      hold,
      job,
      source,
      destination,
      triesAgain: (error: unknown) => triesAgain(run, error),
    };
    await tryStream(run, row, () => runStream(ofRun, selection, row));
  }
}

interface Sessions extends AsyncDisposable {
  source: SourceSession;
  destination: DestinationSession;
}

/** The destination first: a process that may not open it has not bothered the source. */
async function openSessions({ deps, hold }: Run, job: JobWithEnds): Promise<Sessions> {
  await using opening = new AsyncDisposableStack();
  const context = connectorContext(deps, job.projectId, {
    signal: hold.signal,
    log: (level, message) => hold.log(level, null, message),
  });
  const to = configOfRow(deps, 'destination', job.destination);
  const destination = opening.use(await to.connector.open(to.config, context));
  const from = configOfRow(deps, 'source', job.source);
  const source = opening.use(await from.connector.open(from.config, context));
  const open = opening.move();
  return { source, destination, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
