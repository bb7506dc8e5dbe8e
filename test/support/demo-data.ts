import type { Viewer } from '#accounts/viewer.ts';
import { mappings } from '#cli/demo/definitions.ts';
import { sampleSteps } from '#cli/demo/sample-sql.ts';
import { createEmptyDatabase } from './database.ts';
import { mapEntity } from './entities.ts';
import type { TestGraphql } from './graphql.ts';
import { execute, postgresConfig } from './pipeline.ts';
import { change } from './shop.ts';

const streams = ['organizations', 'users', 'orders', 'events'];

/** The tables and mappings that the demo has, with some thousand events up to today. Needs workers. */
export async function fillDemoData(gql: TestGraphql, viewer: Viewer): Promise<void> {
  await using database = await createEmptyDatabase();
  const until = new Date().toISOString().slice(0, 10);
  await execute(database.url, ...sampleSteps({ events: 5_000, until }).map(({ sql }) => sql));
  const make = async (mutation: string, thing: string, input: object): Promise<string> =>
    (await change(gql, viewer, mutation, { name: 'demo', ...input }, `${thing} { id }`))[thing].id;
  const config = postgresConfig(database.url);
  const sourceId = await make('createSource', 'source', { type: 'postgres', config });
  const destinationId = await make('createDestination', 'destination', { type: 'datastore', config: {} });
  const id = await make('createJob', 'job', {
    sourceId,
    destinationId,
    streams: streams.map((name) => ({ namespace: 'public', name, syncMode: 'FULL_REFRESH' })),
  });
  const { task } = await change(gql, viewer, 'syncJob', { id }, 'task { id }');
  const watch = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status } }';
  for await (const { data } of gql.follow(viewer, watch, { taskId: task.id })) {
    if (data.taskUpdated.status === 'FAILED') throw new Error('The sample could not be synced.');
  }
  for (const input of mappings) await mapEntity(gql, viewer, { ...input });
}
