import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, messageOf } from '#base/errors.ts';
import type { SourceConnector, StreamInfo } from '#connectors/contract.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import { connectorProblems } from './classify-error.ts';
import { withinTime } from './connector-context.ts';
import type { PipelineDeps } from './deps.ts';
import { configOfRow, findEnd, unsavedConfig, type EndAsk, type EndConfig } from './end-config.ts';

const answerWithinMs = 30_000;

/**
 * What the source offers right now; for a saved one the answer is kept as its streams. Fails within 30 s: with
 * NOT_FOUND, with every problem of an unsaved config, or with CONNECTION_FAILED saying what went wrong or hung.
 */
export async function discoverStreams(
  deps: PipelineDeps,
  viewer: Viewer,
  ask: EndAsk,
): Promise<StreamInfo[]> {
  if (ask.id == null) {
    return discover(deps, viewer.projectId, unsavedConfig(deps, 'source', ask), answerWithinMs);
  }
  return discoverSaved(deps, viewer, ask.id, answerWithinMs);
}

/** Discovers a saved source's streams, if it answers in time; its log alone hears when it does not. */
export async function refreshStreams(
  deps: PipelineDeps,
  viewer: Viewer,
  id: string,
  withinMs: number,
): Promise<void> {
  try {
    await discoverSaved(deps, viewer, id, withinMs);
  } catch (error) {
    deps.log.info('The streams of a source could not be discovered.', {
      sourceId: id,
      reason: messageOf(error),
    });
  }
}

/** The streams that a source's last discovery found. */
export function storedStreams(streams: Prisma.JsonValue): StreamInfo[] {
  return (streams as unknown as StoredStream[]).map((stream) => ({
    ...stream,
    estimatedRows: stream.estimatedRows === null ? null : BigInt(stream.estimatedRows),
  }));
}

type StoredStream = Omit<StreamInfo, 'estimatedRows'> & { estimatedRows: number | null };

async function discoverSaved(
  deps: PipelineDeps,
  viewer: Viewer,
  id: string,
  withinMs: number,
): Promise<StreamInfo[]> {
  const row = await findEnd(deps, viewer, 'source', id);
  const streams = await discover(deps, viewer.projectId, configOfRow(deps, 'source', row), withinMs);
  // Estimates are not exact anyway: a JSON number holds them.
  const stored = streams.map((stream): StoredStream => ({
    ...stream,
    estimatedRows: stream.estimatedRows === null ? null : Number(stream.estimatedRows),
  }));
  await deps.store.db.source.updateMany({
    // An answer for a config that has been changed meanwhile is not kept.
    where: { id, ...visible(viewer), revision: row.revision },
    data: { streams: stored as unknown as Prisma.InputJsonArray },
  });
  return streams;
}

async function discover(
  deps: PipelineDeps,
  projectId: string,
  { connector, config }: { connector: SourceConnector; config: EndConfig },
  withinMs: number,
): Promise<StreamInfo[]> {
  const what = `Discovering the streams of the "${connector.type}" source`;
  try {
    return await withinTime(deps, projectId, { what, withinMs }, (context) =>
      connector.discover(config, context),
    );
  } catch (error) {
    const problems = connectorProblems(error);
    throw problems ? new InputError(problems) : error;
  }
}
