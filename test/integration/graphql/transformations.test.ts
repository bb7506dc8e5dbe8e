import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { eventually } from '../../support/gateway.ts';
import { type Data, expectStatements, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { insertTransformation } from '../../support/rows.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql({ workers: 2 });
});
afterAll(() => gql[Symbol.asyncDispose]());

/** A viewer whose warehouse has three people on two plans. */
async function signUp(name: string): Promise<Viewer> {
  const viewer = await gql.signUp(name);
  await sql(
    viewer,
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS SELECT * FROM (VALUES
      (1, 'Ada', 'pro', '{"age": 36, "odd name": "x"}'::JSON),
      (2, 'Bea', 'free', '{"age": 29}'::JSON),
      (3, NULL, 'pro', NULL)) AS t(id, name, plan, properties)`,
    'CREATE TABLE raw.other AS SELECT 1 AS id',
  );
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  return viewer;
}

async function sql(viewer: Viewer, ...statements: string[]): Promise<unknown[][]> {
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  let rows: unknown[][] = [];
  for (const each of statements) ({ rows } = await warehouse.run({ sql: each }));
  return rows;
}

const upsertMutation = `mutation ($input: UpsertTransformationInput!) { upsertTransformation(input: $input) {
  transformation { id name revision } userErrors { code path message fix } } }`;

async function upsert(viewer: Viewer, input: object): Promise<Data> {
  const { upsertTransformation } = await gql.ask(viewer, upsertMutation, { input });
  expect(upsertTransformation.userErrors).toEqual([]);
  return upsertTransformation.transformation;
}

async function refused(viewer: Viewer, input: object): Promise<Data> {
  const { upsertTransformation } = await gql.ask(viewer, upsertMutation, { input });
  expect(upsertTransformation.transformation).toBeNull();
  return upsertTransformation.userErrors;
}

async function run(viewer: Viewer, id: string): Promise<string> {
  const { runTransformation } = await gql.ask(
    viewer,
    'mutation ($id: ID!) { runTransformation(input: { id: $id }) { task { id } userErrors { code message } } }',
    { id },
  );
  expect(runTransformation.userErrors).toEqual([]);
  return runTransformation.task.id;
}

async function untilEnded(viewer: Viewer, id: string): Promise<Data> {
  return eventually('the task to end', async () => {
    const { task } = await gql.ask(
      viewer,
      'query ($id: ID!) { task(id: $id) { status finishedAt error { kind message fix } } }',
      { id },
    );
    return task.finishedAt === null ? undefined : task;
  });
}

async function mapUsers(viewer: Viewer, more = ''): Promise<void> {
  const { mapEntity } = await gql.ask(
    viewer,
    `mutation { mapEntity(input: { kind: USER, table: "warehouse.warehouse.raw.users", key: "id", name: "name" ${more} }) { userErrors { message } } }`,
  );
  expect(mapEntity.userErrors).toEqual([]);
}

const pros = {
  name: 'pros',
  description: 'Who pays.',
  sql: `SELECT id, name FROM raw.users WHERE plan = 'pro'`,
  target: { schema: 'made', table: 'pros' },
};

test('a transformation is made, run, watched and read with its table, its inputs and its tasks', async () => {
  const ada = await signUp('ada');
  const { id } = await upsert(ada, { ...pros, schedule: { cron: '0 6 * * *' } });
  const before = await gql.ask(
    ada,
    'query ($id: ID!) { transformation(id: $id) { targetTable { fqn } lastTask { id } } }',
    { id },
  );
  expect(before.transformation).toEqual({ targetTable: null, lastTask: null });
  const taskId = await run(ada, id);
  const lines: string[] = [];
  const logs = 'subscription ($taskId: ID!) { taskLogs(taskId: $taskId) { lines { stream message } } }';
  for await (const { data } of gql.follow(ada, logs, { taskId })) {
    for (const { stream, message } of data.taskLogs.lines) lines.push(`${stream}: ${message}`);
  }
  expect(lines.some((line) => line.startsWith('made.pros: Wrote 2 rows to made.pros'))).toBe(true);
  const { transformation } = await gql.ask(
    ada,
    `query ($name: String) { transformation(name: $name) {
      id name description revision sql formula { entity } active runAfterInputs schedule { cron timeZone } nextRunAt
      createdBy { username } datastore { name } target { kind schema table }
      targetTable { fqn rowCount freshness { task { id } } upstream { transformation { name } table { fqn } } }
      inputs { fqn downstream { transformation { name } table { fqn } } } lastTask { id }
      tasks(first: 5, status: [SUCCEEDED]) { totalCount nodes { id kind trigger job { id } transformation { name } streams { namespace name rowsWritten } } } } }`,
    { name: 'pros' },
  );
  expect(transformation).toMatchObject({
    id,
    revision: 1,
    formula: null,
    active: true,
    runAfterInputs: false,
    schedule: { cron: '0 6 * * *', timeZone: 'UTC' },
    createdBy: { username: 'ada' },
    datastore: { name: 'warehouse' },
    target: { kind: 'TABLE', schema: 'made', table: 'pros' },
    targetTable: {
      fqn: 'warehouse.warehouse.made.pros',
      rowCount: 2,
      freshness: { task: { id: taskId } },
      upstream: [{ transformation: { name: 'pros' }, table: { fqn: 'warehouse.warehouse.raw.users' } }],
    },
    inputs: [
      {
        fqn: 'warehouse.warehouse.raw.users',
        downstream: [{ transformation: { name: 'pros' }, table: { fqn: 'warehouse.warehouse.made.pros' } }],
      },
    ],
    lastTask: { id: taskId },
    tasks: {
      totalCount: 1,
      nodes: [
        {
          id: taskId,
          kind: 'TRANSFORM',
          trigger: 'MANUAL',
          job: null,
          transformation: { name: 'pros' },
          streams: [{ namespace: 'made', name: 'pros', rowsWritten: 2 }],
        },
      ],
    },
  });
  const { tasks } = await gql.ask(ada, '{ tasks(first: 5) { nodes { id transformation { id } } } }');
  expect(tasks.nodes).toEqual([{ id: taskId, transformation: { id } }]);
});

test('a table that is written by a run sets off what reads it, and every change of the tasks is told', async () => {
  const bea = await signUp('bea');
  const first = await upsert(bea, pros);
  await untilEnded(bea, await run(bea, first.id));
  await upsert(bea, {
    name: 'how many',
    sql: 'SELECT count(*) AS n FROM made.pros',
    target: { schema: 'made', table: 'how_many' },
    runAfterInputs: true,
  });
  const stop = new AbortController();
  const told = gql.follow(
    bea,
    'subscription { tasksUpdated { trigger status transformation { name } } }',
    {},
    stop.signal,
  );
  const next = told.next();
  await sql(bea, `INSERT INTO raw.users VALUES (4, 'Cid', 'pro', NULL)`);
  await run(bea, first.id);
  let last: Data;
  for (let event = await next; ; event = await told.next()) {
    last = event.value.data.tasksUpdated;
    if (last.transformation.name === 'how many' && last.status === 'SUCCEEDED') break;
  }
  stop.abort();
  expect(last.trigger).toBe('UPSTREAM');
  expect(await sql(bea, 'SELECT n FROM made.how_many')).toEqual([[3n]]);
});

test('a task of a transformation is canceled as any other', async () => {
  const cid = await signUp('cid');
  const { id } = await upsert(cid, {
    ...pros,
    sql: 'SELECT count(*) AS n FROM range(1000000) a, range(1000000) b, raw.users u WHERE u.id > 1',
  });
  const taskId = await run(cid, id);
  const again = await gql.ask(
    cid,
    'mutation ($id: ID!) { runTransformation(input: { id: $id }) { task { id } userErrors { code path } } }',
    { id },
  );
  expect(again.runTransformation).toEqual({
    task: { id: taskId },
    userErrors: [{ code: 'ALREADY_RUNNING', path: ['id'] }],
  });
  await eventually('the task to run', async () => {
    const { task } = await gql.ask(cid, 'query ($id: ID!) { task(id: $id) { status } }', { id: taskId });
    return task.status === 'RUNNING' || undefined;
  });
  await gql.ask(cid, 'mutation ($id: ID!) { cancelTask(input: { id: $id }) { userErrors { code } } }', {
    id: taskId,
  });
  expect(await untilEnded(cid, taskId)).toMatchObject({ status: 'CANCELED', error: { kind: 'CANCELED' } });
  const { deleteTransformation } = await gql.ask(
    cid,
    'mutation ($id: ID!) { deleteTransformation(input: { id: $id }) { deletedId userErrors { code } } }',
    { id },
  );
  expect(deleteTransformation).toEqual({ deletedId: id, userErrors: [] });
  const gone = await gql.ask(cid, 'query ($id: ID!) { task(id: $id) { transformation { id } } }', {
    id: taskId,
  });
  expect(gone.task.transformation).toBeNull();
});

test('a formula is a table of its entity with the columns computed from fields and properties', async () => {
  const dora = await signUp('dora');
  await mapUsers(dora);
  const formula = {
    entity: 'USER',
    columns: [
      { name: 'greeting', expression: `'Hello, ' || coalesce(name, 'you') || ')'` },
      { name: 'pays', expression: `"plan" <> 'free'` },
      { name: 'rank', expression: 'rank() OVER (ORDER BY key DESC)' },
    ],
  };
  const { id } = await upsert(dora, {
    name: 'greetings',
    formula,
    target: { schema: 'made', table: 'greetings' },
  });
  expect(await untilEnded(dora, await run(dora, id))).toMatchObject({ status: 'SUCCEEDED' });
  expect(await sql(dora, 'SELECT * FROM made.greetings ORDER BY key')).toEqual([
    [1, 'Hello, Ada)', true, 3n],
    [2, 'Hello, Bea)', false, 2n],
    [3, 'Hello, you)', true, 1n],
  ]);
  const query =
    'query ($id: ID!) { transformation(id: $id) { sql formula { entity columns { name expression } } } }';
  expect((await gql.ask(dora, query, { id })).transformation).toEqual({ sql: null, formula });
  await upsert(dora, { id, sql: 'SELECT 1 AS one' });
  expect((await gql.ask(dora, query, { id })).transformation).toEqual({
    sql: 'SELECT 1 AS one',
    formula: null,
  });
});

test('a formula reads the properties of a JSON column, named ones by their names and all of them as properties', async () => {
  const emma = await signUp('emma');
  const target = { schema: 'made', table: 'ages', kind: 'VIEW' };
  await mapUsers(emma, ', propertiesColumn: "properties"');
  const columns = [{ name: 'age', expression: `CAST(properties->>'age' AS INTEGER)` }];
  const { id } = await upsert(emma, { name: 'ages', formula: { entity: 'USER', columns }, target });
  await untilEnded(emma, await run(emma, id));
  const ages = [
    [1, 36],
    [2, 29],
    [3, null],
  ];
  expect(await sql(emma, 'SELECT * FROM made.ages ORDER BY key')).toEqual(ages);
  await mapUsers(
    emma,
    ', propertiesColumn: "properties", properties: ["age", "odd name"], allowBreaking: true',
  );
  const named = [
    { name: 'age', expression: 'CAST(age AS INTEGER)' },
    { name: 'odd', expression: '"odd name"' },
  ];
  await upsert(emma, { id, formula: { entity: 'USER', columns: named } });
  expect(await untilEnded(emma, await run(emma, id))).toMatchObject({ status: 'SUCCEEDED' });
  expect(await sql(emma, 'SELECT * FROM made.ages ORDER BY key')).toEqual([
    [1, 36, 'x'],
    [2, 29, null],
    [3, null, null],
  ]);
});

test('an expression is one value of its entity: what reaches further or cannot be computed is refused where it stands', async () => {
  const fay = await signUp('fay');
  const input = (...expressions: string[]) => ({
    name: 'f',
    target: { schema: 'made', table: 'f' },
    formula: {
      entity: 'USER',
      columns: expressions.map((expression, index) => ({ name: `c${index}`, expression })),
    },
  });
  expect(await refused(fay, input('name'))).toMatchObject([
    { code: 'INVALID', path: ['formula', 'entity'], message: 'No table is mapped to USER in this project.' },
  ]);
  await mapUsers(fay);
  const place = ['formula', 'columns', '1', 'expression'];
  const message = async (expression: string) => {
    const [problem] = await refused(fay, input('name', expression));
    expect(problem).toMatchObject({ code: 'INVALID', path: place });
    return problem.message as string;
  };
  expect(await message('nope')).toContain('"nope" not found');
  expect(await message('nope')).not.toContain('SELECT');
  expect(await message('sum(key)')).toContain('GROUP BY');
  expect(await message('(SELECT max(id) FROM raw.other)')).toContain('reads more than its entity: raw.other');
  expect(await message('1) AS c1 FROM (SELECT 1 AS key) UNION ALL SELECT 2, (3')).toContain(
    'closes what was not opened',
  );
  expect(await message('name -- and more')).toContain('a comment');
  expect(await message('name; DROP TABLE raw.users')).toContain('it holds ";"');
  expect(await message(`'open`)).toContain('is not closed');
  expect(await message('(name')).toContain('a parenthesis is not closed');
  expect(await message('$1')).toContain('a parameter');
  expect(await message('')).toContain('it is empty');
  const twice = {
    ...input('name'),
    formula: { entity: 'USER', columns: [{ name: 'KEY', expression: 'name' }] },
  };
  expect(await refused(fay, twice)).toMatchObject([{ path: ['formula', 'columns', '0', 'name'] }]);
});

test('a SELECT that the engine refuses is a userError in its words, at sql', async () => {
  const gus = await signUp('gus');
  expect(await refused(gus, { ...pros, sql: 'SELECT nope FROM raw.users' })).toMatchObject([
    { code: 'INVALID', path: ['sql'], message: expect.stringContaining('"nope" not found') },
  ]);
});

test('a list of transformations costs the same statements however many there are', async () => {
  const hal = await signUp('hal');
  const { db } = gql.app.store;
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({ where: { projectId: hal.projectId } });
  const tables = await db.catalogTable.findMany({ where: { projectId: hal.projectId } });
  const inputIds = tables.map((table) => table.id);
  for (let number = 1; number <= 3; number++) {
    await insertTransformation(db, hal, { name: `t${number}`, datastoreId, inputIds });
  }
  const list = (first: number) =>
    gql.ask(
      hal,
      `query ($first: Int) { transformations(first: $first, search: "t") { nodes {
        name datastore { name } inputs { name } targetTable { name } lastTask { id } tasks(first: 2) { nodes { id } } } } }`,
      { first },
    );
  const { transformations } = await list(3);
  expect(transformations.nodes.map((node: Data) => [node.name, node.inputs.length])).toEqual([
    ['t1', 2],
    ['t2', 2],
    ['t3', 2],
  ]);
  // The page, the tables of all inputs, and the ids of the first and of all tasks.
  for (const first of [1, 3]) await expectStatements(4, () => list(first));
});

test('the examples of docs/transformations.md run on tables such as the demo syncs', async () => {
  const ida = await gql.signUp('ida');
  await sql(
    ida,
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS SELECT 1 AS id, 'Ida' AS name, 'ida@example.com' AS email, now() AS created_at`,
    `CREATE TABLE raw.events AS SELECT range AS id, 'seen' AS name, now() AS at, 1 AS user_id FROM range(5)`,
  );
  await gql.ask(ida, 'mutation { refreshCatalog(input: {}) { tables } }');
  await mapUsers(ida, ', email: "email", createdAt: "created_at"');
  const page = await readFile(join(import.meta.dirname, '../../../docs/transformations.md'), 'utf8');
  const blocks = [...page.matchAll(/```graphql\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(blocks).toHaveLength(4);
  for (const block of blocks.filter((each) => each.includes('upsertTransformation'))) {
    const { upsertTransformation } = await gql.ask(ida, block);
    expect(upsertTransformation.userErrors).toEqual([]);
  }
  const { transformations } = await gql.ask(ida, '{ transformations { nodes { id } } }');
  for (const { id } of transformations.nodes) {
    const { runTransformation } = await gql.ask(ida, blocks[1] as string, { id });
    expect(await untilEnded(ida, runTransformation.task.id)).toMatchObject({ status: 'SUCCEEDED' });
  }
  const lineage = await gql.ask(ida, blocks[2] as string);
  expect(lineage.transformations.nodes).toMatchObject([
    { name: 'daily active users', inputs: [{ fqn: 'warehouse.warehouse.raw.events' }] },
    { name: 'user facts', targetTable: { fqn: 'warehouse.warehouse.made.user_facts' } },
  ]);
  expect(await sql(ida, 'SELECT key, domain, is_new FROM made.user_facts')).toEqual([
    [1, 'example.com', true],
  ]);
});
