import type { GatewayClient } from '#cli/client.ts';
import {
  createDestination,
  createJob,
  createSource,
  discoverStreams,
  existing,
  updateSource,
} from './documents.ts';
import { idOf, refuse } from './payload.ts';

/** A job of the demo, and what it needs. */
export interface DemoPipeline {
  job: string;
  source: { name: string; type: string; config: object };
  cron: string | null;
  /** How streams that grow are taken; all others are read whole and overwritten. */
  growing: Record<string, { writeMode: 'UPSERT' | 'APPEND'; cursorField?: string }>;
}

const destinationName = 'warehouse';

/** Makes over the public API what of the pipeline is not there yet, and gives the job's id. Fails with AppError. */
export async function preparePipeline(client: GatewayClient, pipeline: DemoPipeline): Promise<string> {
  const { job: name, source } = pipeline;
  const found = await client.ask(existing, { source: source.name, destination: destinationName, job: name });
  const sourceId = await prepareSource(client, source, found.source?.id);
  const destinationId = found.destination?.id ?? (await makeDestination(client));
  if (found.job !== null) return found.job.id;
  const streams = await chooseStreams(client, sourceId, pipeline);
  const schedule = pipeline.cron === null ? null : { cron: pipeline.cron, timeZone: 'UTC' };
  const input = { name, sourceId, destinationId, streams, schedule };
  const { createJob: payload } = await client.ask(createJob, { input });
  return idOf(payload.job, payload.userErrors);
}

/** A source that is there gets the config anew: the sample database has another port and password at each start. */
async function prepareSource(
  client: GatewayClient,
  source: DemoPipeline['source'],
  id: string | undefined,
): Promise<string> {
  const { name, type, config } = source;
  if (id === undefined) {
    const { createSource: payload } = await client.ask(createSource, { input: { name, type, config } });
    return idOf(payload.source, payload.userErrors);
  }
  const { updateSource: payload } = await client.ask(updateSource, { input: { id, config } });
  return idOf(payload.source, payload.userErrors);
}

async function makeDestination(client: GatewayClient): Promise<string> {
  const input = { name: destinationName, type: 'datastore', config: { schema: 'raw' } };
  const { createDestination: payload } = await client.ask(createDestination, { input });
  return idOf(payload.destination, payload.userErrors);
}

async function chooseStreams(client: GatewayClient, sourceId: string, { growing }: DemoPipeline) {
  const { discoverStreams: payload } = await client.ask(discoverStreams, { input: { id: sourceId } });
  refuse(payload.userErrors);
  return payload.streams.map(({ namespace, name, primaryKey }) => {
    const grows = growing[name];
    const stream = { namespace, name, primaryKey };
    if (grows === undefined)
      return { ...stream, syncMode: 'FULL_REFRESH' as const, writeMode: 'OVERWRITE' as const };
    return { ...stream, syncMode: 'INCREMENTAL' as const, ...grows };
  });
}
