import type { GatewayClient } from '#cli/client.ts';
import type { CreateMetricInput } from '#generated/gql/graphql.ts';
import {
  createMetric,
  createSignal,
  evaluateSignal,
  isMapped,
  mapEntity,
  metricByName,
  runTransformation,
  signalByName,
  transformationByName,
  upsertTransformation,
} from './data-documents.ts';
import { mappings, metrics, signal as watched, transformation } from './definitions.ts';
import { idOf, refuse } from './payload.ts';
import { showTask } from './show-task.ts';
import type { Say } from './show.ts';

/**
 * Makes over the public API what is not there yet of mappings, a transformation, metrics and a signal, runs the
 * transformation and evaluates the signal. What is there stays as it is. Says whether the transformation has succeeded.
 * Fails with AppError.
 */
export async function prepareData(client: GatewayClient, signal: AbortSignal, say: Say): Promise<boolean> {
  say('\nSaying which tables hold users, organizations and events');
  for (const input of mappings) {
    const { entityMapping } = await client.ask(isMapped, { kind: input.kind });
    if (entityMapping === null) refuse((await client.ask(mapEntity, { input })).mapEntity.userErrors);
    say(`  ${input.kind.padEnd(12)}  ${input.table}`);
  }
  const { schema, table } = transformation.target;
  say(
    `\nMaking ${schema}.${table} of what both jobs brought, by the transformation "${transformation.name}"`,
  );
  const id = await prepareTransformation(client);
  const { runTransformation: started } = await client.ask(runTransformation, { input: { id } });
  const isWell = await showTask(client, started, signal, say);
  signal.throwIfAborted();
  if (!isWell) return false;
  say('\nDefining metrics');
  for (const metric of metrics) {
    await prepareMetric(client, metric);
    const [kind] = Object.keys(metric.definition);
    say(`  ${metric.name.padEnd(17)}  ${kind?.toUpperCase().padEnd(10)}  ${metric.title}`);
  }
  await watch(client, say);
  return true;
}

async function prepareTransformation(client: GatewayClient): Promise<string> {
  const found = await client.ask(transformationByName, { name: transformation.name });
  if (found.transformation !== null) return found.transformation.id;
  const { upsertTransformation: payload } = await client.ask(upsertTransformation, { input: transformation });
  return idOf(payload.transformation, payload.userErrors);
}

async function prepareMetric(client: GatewayClient, input: CreateMetricInput): Promise<string> {
  const found = await client.ask(metricByName, { name: input.name });
  if (found.metric !== null) return found.metric.id;
  const { createMetric: payload } = await client.ask(createMetric, { input });
  return idOf(payload.metric, payload.userErrors);
}

async function watch(client: GatewayClient, say: Say): Promise<void> {
  say(`\nWatching it by the signal "${watched.name}"`);
  const id = await prepareSignal(client);
  const { evaluateSignal: payload } = await client.ask(evaluateSignal, { input: { id } });
  refuse(payload.userErrors);
  say(`  ${payload.evaluation?.state}: ${payload.evaluation?.message}`);
}

async function prepareSignal(client: GatewayClient): Promise<string> {
  const { metric: name, ...rest } = watched;
  const [found, { metric }] = await Promise.all([
    client.ask(signalByName, { name: watched.name }),
    client.ask(metricByName, { name }),
  ]);
  if (found.signal !== null) return found.signal.id;
  const { createSignal: payload } = await client.ask(createSignal, {
    input: { ...rest, metricId: idOf(metric, []) },
  });
  return idOf(payload.signal, payload.userErrors);
}
