import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, type Problem } from '#base/errors.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import { checkStreams, streamName, type JobStreamInput } from './check-streams.ts';
import type { PipelineDeps } from './deps.ts';
import { findConnector } from './end-config.ts';
import { checkJobTables, isCaseIgnored } from './job-tables.ts';
import { discoverStreams, storedStreams } from './source-streams.ts';
import { loopProblems, type StreamWay, streamWays } from './stream-ways.ts';

export interface SelectedStreams {
  selections: StreamSelection[];
  problems: Problem[];
  /** Of the streams between datastores, as far as they are known now. */
  ways: StreamWay[];
}

/**
 * The selections of a job over these two ends, with everything wrong with them. A stream that the source's last
 * discovery did not find is looked for once more in the source itself.
 */
export async function selectStreams(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { sourceId: string; destinationId: string; streams: readonly JobStreamInput[] },
): Promise<SelectedStreams> {
  const { db } = deps.store;
  const [source, destination] = await Promise.all([
    db.source.findFirst({ where: { id: input.sourceId, ...visible(viewer) } }),
    db.destination.findFirst({ where: { id: input.destinationId, ...visible(viewer) } }),
  ]);
  const problems: Problem[] = [];
  if (!source) problems.push({ code: 'NOT_FOUND', path: ['sourceId'], message: 'There is no such source.' });
  if (!destination) {
    problems.push({ code: 'NOT_FOUND', path: ['destinationId'], message: 'There is no such destination.' });
  }
  if (!source || !destination) return { selections: [], problems, ways: [] };

  const { writeModes } = findConnector(deps, 'destination', destination.type, destination.version);
  const writable = { writeModes, ignoresCase: await isCaseIgnored(deps, viewer, destination) };
  const known = storedStreams(source.streams);
  const withTables = async (checked: ReturnType<typeof checkStreams>) => {
    const { selections, problems: ofStreams } = checked;
    const taken = await checkJobTables(deps, viewer, destination, selections);
    const found = [...ofStreams, ...taken];
    // What is wrong anyway may be read by no source.
    if (found.length > 0) return { selections, problems: found, ways: [] };
    const ways = await streamWays(deps, viewer.projectId, { source, destination }, selections);
    return { selections, problems: loopProblems(ways, selections), ways };
  };
  if (input.streams.every((stream) => known.some((each) => isNamed(each, stream)))) {
    return withTables(checkStreams(input.streams, known, writable));
  }
  try {
    const offered = await discoverStreams(deps, viewer, { id: source.id });
    return await withTables(checkStreams(input.streams, offered, writable));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const names = input.streams.map(
      (stream) => `"${streamName({ namespace: stream.namespace ?? null, name: stream.name })}"`,
    );
    const message = `The streams ${names.join(', ')} could not be looked up in the source "${source.name}": ${error.message}`;
    const fix = 'Make testSource succeed first.';
    return {
      selections: [],
      ways: [],
      problems: [{ code: 'CONNECTION_FAILED', path: ['sourceId'], message, fix }],
    };
  }
}

function isNamed(stream: { namespace: string | null; name: string }, input: JobStreamInput): boolean {
  return stream.name === input.name && (input.namespace == null || input.namespace === stream.namespace);
}
