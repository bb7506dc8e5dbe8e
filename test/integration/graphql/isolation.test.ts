import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { globalId, readEntityId, readGlobalId } from '#graphql/global-id.ts';
import { startTask } from '#pipelines/start-task.ts';
import { insertEntities } from '../../support/entities.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import {
  type Arguments,
  idPaths,
  nodeTypes,
  operationOf,
  type Root,
  rootFields,
  withValue,
} from '../../support/operations.ts';
import { insertProject, type ProjectRows, testStream } from '../../support/rows.ts';

type EntityRows = Awaited<ReturnType<typeof insertEntities>>;
type Rows = ProjectRows & EntityRows & { Account: string; Project: string; Member: string };

/**
 * What an id stands for at each place of the schema that takes one, and what else must be said there. The places are
 * found from the schema: one that is missing here fails the test, so that a new field cannot be forgotten.
 */
const places: Record<string, { type: keyof Rows; args?: (own: Rows) => Arguments }> = {
  'Query.source(id)': { type: 'Source' },
  'Query.destination(id)': { type: 'Destination' },
  'Query.job(id)': { type: 'Job' },
  'Query.jobs(sourceId)': { type: 'Source' },
  'Query.jobs(destinationId)': { type: 'Destination' },
  'Query.transformation(id)': { type: 'Transformation' },
  'Query.task(id)': { type: 'Task' },
  'Query.metric(id)': { type: 'Metric' },
  'Query.signal(id)': { type: 'Signal' },
  'Query.endpoint(id)': { type: 'Endpoint' },
  'Query.table(id)': { type: 'Table' },
  'Query.user(id)': { type: 'User' },
  'Query.organization(id)': { type: 'Organization' },
  'Mutation.revokeApiKey(input.id)': { type: 'ApiKey' },
  'Mutation.testSource(input.id)': { type: 'Source' },
  'Mutation.discoverStreams(input.id)': { type: 'Source' },
  'Mutation.updateSource(input.id)': { type: 'Source', args: () => ({ input: { name: 'mine now' } }) },
  'Mutation.deleteSource(input.id)': { type: 'Source' },
  'Mutation.testDestination(input.id)': { type: 'Destination' },
  'Mutation.updateDestination(input.id)': {
    type: 'Destination',
    args: () => ({ input: { name: 'mine now' } }),
  },
  'Mutation.deleteDestination(input.id)': { type: 'Destination' },
  'Mutation.createJob(input.sourceId)': {
    type: 'Source',
    args: (own) => ({ input: { name: 'n', destinationId: own.Destination, streams: [jobStream] } }),
  },
  'Mutation.createJob(input.destinationId)': {
    type: 'Destination',
    args: (own) => ({ input: { name: 'n', sourceId: own.Source, streams: [jobStream] } }),
  },
  'Mutation.updateJob(input.id)': { type: 'Job', args: () => ({ input: { name: 'mine now' } }) },
  'Mutation.updateJob(input.sourceId)': { type: 'Source', args: (own) => ({ input: { id: own.Job } }) },
  'Mutation.updateJob(input.destinationId)': {
    type: 'Destination',
    args: (own) => ({ input: { id: own.Job } }),
  },
  'Mutation.deleteJob(input.id)': { type: 'Job' },
  'Mutation.setJobActive(input.id)': { type: 'Job', args: () => ({ input: { active: false } }) },
  'Mutation.syncJob(input.id)': { type: 'Job' },
  'Mutation.upsertTransformation(input.id)': {
    type: 'Transformation',
    args: () => ({ input: { description: 'mine now' } }),
  },
  'Mutation.upsertTransformation(input.datastoreId)': {
    type: 'Datastore',
    args: () => ({ input: { name: 'n', sql: 'SELECT 1 AS a', target: { schema: 'made', table: 'n' } } }),
  },
  'Mutation.deleteTransformation(input.id)': { type: 'Transformation' },
  'Mutation.runTransformation(input.id)': { type: 'Transformation' },
  'Mutation.cancelTask(input.id)': { type: 'Task' },
  'Mutation.updateDatastore(input.id)': { type: 'Datastore', args: () => ({ input: { isDefault: true } }) },
  'Mutation.deleteDatastore(input.id)': { type: 'Datastore' },
  'Mutation.testDatastore(input.id)': { type: 'Datastore' },
  'Mutation.refreshCatalog(input.datastoreId)': { type: 'Datastore' },
  'Mutation.updateTable(input.id)': { type: 'Table', args: () => ({ input: { description: 'mine now' } }) },
  'Mutation.updateMetric(input.id)': { type: 'Metric', args: () => ({ input: { title: 'mine now' } }) },
  'Mutation.deleteMetric(input.id)': { type: 'Metric' },
  'Mutation.createSignal(input.metricId)': {
    type: 'Metric',
    args: () => ({ input: { name: 'n', operator: 'GT', threshold: 1, grain: 'DAY' } }),
  },
  'Mutation.updateSignal(input.id)': { type: 'Signal', args: () => ({ input: { name: 'mine now' } }) },
  'Mutation.updateSignal(input.metricId)': { type: 'Metric', args: (own) => ({ input: { id: own.Signal } }) },
  'Mutation.publishEndpoint(input.id)': { type: 'Endpoint' },
  'Mutation.deprecateEndpoint(input.id)': { type: 'Endpoint' },
  'Mutation.restoreEndpoint(input.id)': { type: 'Endpoint', args: () => ({ input: { revision: 1 } }) },
  'Mutation.deleteEndpoint(input.id)': { type: 'Endpoint' },
  'Mutation.deleteSignal(input.id)': { type: 'Signal' },
  'Mutation.evaluateSignal(input.id)': { type: 'Signal' },
  'Subscription.taskUpdated(taskId)': { type: 'Task' },
  'Subscription.tasksUpdated(jobId)': { type: 'Job' },
  'Subscription.taskLogs(taskId)': { type: 'Task' },
  'Subscription.signalEvaluated(signalId)': { type: 'Signal' },
};
const jobStream = { namespace: testStream.namespace, name: testStream.name, syncMode: 'FULL_REFRESH' };
const roots: Root[] = ['Query', 'Mutation', 'Subscription'];

let gql: TestGraphql;
let ada: Viewer;
let victim: Rows;
/** Whoever must not know of ada's things: of another account, and of another project of ada's own account. */
const strangers: { name: string; viewer: Viewer; own: Rows }[] = [];

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  victim = await rowsOf(ada);
  const eve = await gql.signUp('eve');
  strangers.push({ name: 'another account', viewer: eve, own: await rowsOf(eve) });
  const project = {
    id: newId(),
    accountId: ada.accountId,
    slug: 'other',
    name: 'Other',
    createdAt: new Date(),
  };
  await gql.app.store.db.project.create({ data: project });
  await gql.app.store.db.$transaction((tx) =>
    gql.app.accounts.projectCreated(tx, project, ada.memberId ?? ''),
  );
  const sibling = { ...ada, projectId: project.id };
  strangers.push({ name: 'another project of the account', viewer: sibling, own: await rowsOf(sibling) });
});
afterAll(() => gql[Symbol.asyncDispose]());

async function rowsOf(owner: Viewer): Promise<Rows> {
  return {
    ...(await insertProject(gql.app.store.db, owner)),
    ...(await insertEntities(gql, owner)),
    Account: globalId('Account', owner.accountId),
    Project: globalId('Project', owner.projectId),
    Member: globalId('Member', owner.memberId ?? ''),
  };
}

/** Everything of ada's project that an answer could give away, and everything that could be changed there. */
async function victimState(): Promise<string> {
  const { db } = gql.app.store;
  const where = { where: { projectId: ada.projectId } };
  const rows = [
    await db.source.findMany(where),
    await db.destination.findMany(where),
    await db.job.findMany(where),
    await db.transformation.findMany(where),
    await db.task.findMany(where),
    await db.apiKey.findMany(where),
    await db.datastore.findMany(where),
    await db.catalogTable.findMany(where),
    await db.metric.findMany(where),
    await db.signal.findMany(where),
    await db.endpoint.findMany(where),
    await db.endpointRevision.findMany(where),
    await db.signalEvaluation.findMany(where),
  ];
  return JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
}

/** Ids of ada's project, as an answer would hold them; the account's are its other project's too. */
function secrets(): string[] {
  const { Account: _account, Project: _project, Member: _member, ...ofProject } = victim;
  return Object.values(ofProject).flatMap((id) => [id, readGlobalId(id)?.uuid ?? id]);
}

function expectNothingOfVictim(answer: unknown): void {
  const text = JSON.stringify(answer ?? null);
  for (const secret of secrets()) expect(text).not.toContain(secret);
}

test('every place of the schema that takes an id is known to this test, and nothing else is', () => {
  const found = roots.flatMap((root) =>
    rootFields(root)
      .filter(({ name }) => !(root === 'Query' && (name === 'node' || name === 'nodes')))
      .flatMap((field) => idPaths(field).map((path) => `${root}.${field.name}(${path})`)),
  );
  expect(found.sort()).toEqual(Object.keys(places).sort());
});

test('node and nodes know no thing of another project, whatever its type', async () => {
  expect(nodeTypes().sort()).toEqual(Object.keys(victim).sort());
  const ofAccount = new Set<string>(['Account', 'Project', 'Member']);
  for (const { name, viewer } of strangers) {
    for (const type of nodeTypes()) {
      if (name !== 'another account' && ofAccount.has(type)) continue;
      const id = victim[type as keyof Rows];
      const query = 'query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }';
      expect(await gql.ask(viewer, query, { id }), `${type} for ${name}`).toEqual({
        node: null,
        nodes: [null],
      });
    }
  }
});

test('node finds every type in its own project', async () => {
  for (const [type, id] of Object.entries(victim)) {
    const { node } = await gql.ask(ada, 'query ($id: ID!) { node(id: $id) { __typename id } }', { id });
    expect(node, type).toEqual({ __typename: type, id });
  }
});

test.each(rootFields('Query').map((field) => [field.name, field] as const))(
  'Query.%s shows nothing of another project, however deep it is asked',
  async (_name, field) => {
    if (field.args.some((arg) => String(arg.type).endsWith('!'))) return;
    for (const { viewer } of strangers) {
      const { query, variables } = operationOf('Query', field, {}, 4);
      const answer = await gql.answer(viewer, query, variables);
      const codes = answer.errors.map((error) => error.extensions.code);
      // Those that find one thing refuse to be asked for none.
      expect(codes.filter((code) => code !== 'BAD_USER_INPUT')).toEqual([]);
      expectNothingOfVictim(answer.data);
    }
  },
);

test('things of another project are not found by their names either', async () => {
  const { db } = gql.app.store;
  await db.source.updateMany({ where: { projectId: ada.projectId }, data: { name: 'ada only' } });
  await db.destination.updateMany({ where: { projectId: ada.projectId }, data: { name: 'ada only' } });
  await db.job.updateMany({ where: { projectId: ada.projectId }, data: { name: 'ada only' } });
  await db.catalogTable.updateMany({
    where: { projectId: ada.projectId, schema: 'raw' },
    data: { name: 'ada_only' },
  });
  await db.metric.updateMany({ where: { projectId: ada.projectId }, data: { name: 'ada_only' } });
  await db.signal.updateMany({ where: { projectId: ada.projectId }, data: { name: 'ada only' } });
  const query = `{ source(name: "ada only") { id } destination(name: "ada only") { id } job(name: "ada only") { id } signal(name: "ada only") { id }
    metric(name: "ada_only") { id } metrics(search: "ada") { totalCount } table(fqn: "warehouse.warehouse.raw.ada_only") { id } column(fqn: "warehouse.warehouse.raw.ada_only.id") { name }
    columns(search: "ada_only") { totalCount } sources(search: "ada") { totalCount } jobs(search: "ada") { totalCount }
    destinations(search: "ada") { totalCount } tables(search: "ada") { totalCount } }`;
  const found = await gql.ask(ada, query);
  expect(found).toMatchObject({
    source: { id: victim.Source },
    metric: { id: victim.Metric },
    signal: { id: victim.Signal },
    table: { id: victim.Table },
    column: { name: 'id' },
    columns: { totalCount: 1 },
    jobs: { totalCount: 1 },
  });
  const none = { totalCount: 0 };
  for (const { viewer } of strangers) {
    expect(await gql.ask(viewer, query)).toEqual({
      source: null,
      destination: null,
      job: null,
      metric: null,
      signal: null,
      metrics: none,
      table: null,
      column: null,
      columns: none,
      sources: none,
      jobs: none,
      destinations: none,
      tables: none,
    });
  }
});

test('entities of another project are not found by their keys, and its mapping is not seen', async () => {
  const keys = [victim.User, victim.Organization, victim.Event].map((id) => readEntityId(id)?.key);
  const query = `query ($user: String, $organization: String, $event: JSON!) { user(key: $user) { key } organization(key: $organization) { key }
    events(filter: { properties: [{ property: "key", eq: $event }] }) { totalCount } entityMapping(kind: USER) { table { id } } }`;
  const asked = { user: keys[0], organization: keys[1], event: keys[2] };
  const found = await gql.ask(ada, query, asked);
  expect(found).toMatchObject({
    user: { key: keys[0] },
    organization: { key: keys[1] },
    events: { totalCount: 1 },
  });
  for (const { viewer } of strangers) {
    const { entityMapping, ...none } = await gql.ask(viewer, query, asked);
    expect(none).toEqual({ user: null, organization: null, events: { totalCount: 0 } });
    expect(entityMapping.table.id).not.toBe(found.entityMapping.table.id);
  }
});

test.each(Object.entries(places))(
  '%s treats the id of another project as one that never was',
  async (place, recipe) => {
    const [, root, name, path] = /^(\w+)\.(\w+)\((.+)\)$/.exec(place) as unknown as [
      string,
      Root,
      string,
      string,
    ];
    const field = rootFields(root).find((each) => each.name === name);
    if (!field) throw new Error(`There is no ${place}.`);
    for (const { name: stranger, viewer, own } of strangers) {
      const before = await victimState();
      const answerFor = async (id: string) => {
        const { query, variables } = operationOf(
          root,
          field,
          withValue(recipe.args?.(own) ?? {}, path, id),
          2,
        );
        const answer =
          root === 'Subscription'
            ? await firstOf(viewer, query, variables)
            : await gql.answer(viewer, query, variables);
        expectNothingOfVictim(answer.data);
        const shown = JSON.stringify({
          data: answer.data,
          errors: answer.errors.map(({ message, extensions }) => ({ message, code: extensions.code })),
        });
        return shown.replaceAll(id, 'ID');
      };
      const foreign = await answerFor(victim[recipe.type]);
      const unknown = await answerFor(globalId(recipe.type, newId()));
      expect(foreign, stranger).toBe(unknown);
      if (root === 'Mutation') expect(foreign, stranger).toMatch(/NOT_FOUND/);
      if (root === 'Subscription') expect(foreign, stranger).toMatch(/"code":"NOT_FOUND"/);
      expect(await victimState(), stranger).toBe(before);
    }
  },
);

test('tasksUpdated of a project hears nothing of another project’s tasks', async () => {
  for (const { viewer, own } of strangers) {
    const leaving = new AbortController();
    const heard: unknown[] = [];
    const listening = (async () => {
      for await (const { data } of gql.follow(
        viewer,
        'subscription { tasksUpdated { id } }',
        {},
        leaving.signal,
      )) {
        heard.push(data?.tasksUpdated);
        if (heard.length === 1) leaving.abort();
      }
    })();
    // Whoever listens hears nothing of what was before; so each round starts both, until the own one was heard.
    while (heard.length === 0) {
      await touchTask(victim.Job, ada);
      await touchTask(own.Job, viewer);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await listening;
    expect(heard).toEqual([{ id: expect.any(String) }]);
    const [{ id }] = heard as [{ id: string }];
    const task = await gql.app.store.db.task.findUniqueOrThrow({
      where: { id: readGlobalId(id)?.uuid ?? '' },
    });
    expect(task.projectId).toBe(viewer.projectId);
  }
});

/** Ends the job's live task and starts another. */
async function touchTask(job: string, owner: Viewer): Promise<void> {
  const jobId = readGlobalId(job)?.uuid ?? '';
  await gql.app.store.db.task.updateMany({
    where: { jobId, status: 'QUEUED' },
    data: { status: 'CANCELED', finishedAt: new Date() },
  });
  await startTask(gql.app.pipelines, owner, { jobId });
}

async function firstOf(viewer: Viewer, query: string, variables: Arguments) {
  const leaving = new AbortController();
  for await (const answer of gql.follow(viewer, query, variables, leaving.signal)) {
    leaving.abort();
    return answer;
  }
  throw new Error('The subscription ended without an answer.');
}
