import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import {
  type Data,
  openTestGraphql,
  statementsOf,
  type TestGraphql,
  type Variables,
} from '../../support/graphql.ts';
import { change, defineMetric, fillShop, ofEvents } from '../../support/shop.ts';

let gql: TestGraphql;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
});
afterAll(() => gql[Symbol.asyncDispose]());

const events = { kind: 'EVENT', table: 'raw.events', key: 'id', name: 'name', at: 'at', userKey: 'user_id' };
const users = {
  kind: 'USER',
  table: 'raw.users',
  key: 'id',
  name: 'name',
  email: 'email',
  createdAt: 'created_at',
  organizationKey: 'organization_id',
};
const fields = 'mapping { columns properties } breaks { kind name reason }';
const nothingBreaks = { breaks: [], userErrors: [] };

const map = (viewer: Viewer, input: Variables) => change(gql, viewer, 'mapEntity', input, fields);

async function openShop(name: string): Promise<Viewer> {
  const viewer = await gql.signUp(name);
  await fillShop(gql, viewer);
  return viewer;
}

/** What each metric that cannot be asked says of itself, in a list of all. */
async function brokenIn(viewer: Viewer): Promise<Record<string, string>> {
  const { metrics } = await gql.ask(
    viewer,
    '{ metrics(first: 100) { nodes { name problems { message path fix } } } }',
  );
  return Object.fromEntries(
    metrics.nodes
      .filter(({ problems }: Data) => problems.length > 0)
      .map(({ name, problems }: Data) => [name, problems[0].message]),
  );
}

async function makeFormula(viewer: Viewer, name: string, formula: Variables): Promise<void> {
  const target = { schema: 'made', table: name, kind: 'VIEW' };
  const made = await change(
    gql,
    viewer,
    'upsertTransformation',
    { name, formula, target },
    'transformation { id }',
  );
  expect(made.userErrors).toEqual([]);
}

/** Metrics over amounts, a signal and a formula over them, and metrics that stand on other columns. */
async function defineAll(viewer: Viewer): Promise<void> {
  await defineMetric(gql, viewer, 'actions', ofEvents({ aggregation: 'COUNT' }));
  const amounts = await defineMetric(
    gql,
    viewer,
    'amounts',
    ofEvents({ aggregation: 'SUM', column: 'amount' }),
  );
  await defineMetric(gql, viewer, 'mean', { ratio: { numerator: 'amounts', denominator: 'actions' } });
  await defineMetric(
    gql,
    viewer,
    'emails',
    ofEvents({ aggregation: 'COUNT' }, { filter: [{ property: 'user.email', isNull: false }] }),
  );
  const signal = { name: 'low amounts', metricId: amounts, operator: 'LT', threshold: 1, grain: 'DAY' };
  const made = await change(gql, viewer, 'createSignal', signal, 'signal { id }');
  expect(made.userErrors).toEqual([]);
  await makeFormula(viewer, 'doubled', {
    entity: 'EVENT',
    columns: [
      { name: 'amount', expression: `concat('amount', key)` },
      { name: 'twice', expression: 'Amount * 2' },
    ],
  });
  await makeFormula(viewer, 'named', {
    entity: 'EVENT',
    columns: [{ name: 'what', expression: 'upper(name)' }],
  });
}

const noAmount = `An event has no "amount". It has: key, name, at, userKey, user.…, organization.….`;
const amountBreaks = [
  { kind: 'METRIC', name: 'amounts', reason: noAmount },
  { kind: 'METRIC', name: 'mean', reason: `It is made of "amounts", which cannot be asked: ${noAmount}` },
  { kind: 'SIGNAL', name: 'low amounts', reason: `It watches "amounts", which cannot be asked: ${noAmount}` },
  {
    kind: 'TRANSFORMATION',
    name: 'doubled',
    reason: 'Its column "twice" is computed from "Amount", which EVENT has no more.',
  },
];

test('a mapping that metrics, signals and formulas do not survive is refused, with each of them and why', async () => {
  const ada = await openShop('ada');
  await defineAll(ada);
  const before = await gql.ask(ada, '{ entityMapping(kind: EVENT) { columns properties } }');
  const { mapping, breaks, userErrors } = await map(ada, { ...events, properties: [] });
  expect({ mapping, breaks }).toEqual({ mapping: null, breaks: amountBreaks });
  expect(userErrors).toEqual(
    amountBreaks.map(({ kind, name, reason }) => ({
      code: 'IN_USE',
      path: ['kind'],
      message: `The ${kind.toLowerCase()} "${name}" would not work any more: ${reason}`,
      fix: 'Change it first, or give allowBreaking: true to go on without it.',
    })),
  );
  expect(await gql.ask(ada, '{ entityMapping(kind: EVENT) { columns properties } }')).toEqual(before);
  expect(await brokenIn(ada)).toEqual({});
});

test('a mapping that may break is saved and says what it broke; metrics say so in a list until they are mended', async () => {
  const bob = await openShop('bob');
  await defineAll(bob);
  const allowed = await map(bob, { ...events, properties: [], allowBreaking: true });
  expect(allowed).toMatchObject({ mapping: { properties: [] }, breaks: amountBreaks, userErrors: [] });
  expect(await brokenIn(bob)).toEqual({ amounts: noAmount, mean: amountBreaks[1]!.reason });
  const { metric } = await gql.ask(bob, '{ metric(name: "amounts") { problems { path fix } } }');
  expect(metric.problems).toEqual([
    {
      path: ['definition', 'simple', 'measure', 'column'],
      fix: 'Name one of these, or map more of the table with mapEntity.',
    },
  ]);
  // What is broken already breaks no more.
  expect(await map(bob, { ...events, properties: ['id'] })).toMatchObject(nothingBreaks);
  expect(await map(bob, events)).toMatchObject(nothingBreaks);
  expect(await brokenIn(bob)).toEqual({});
});

test('what unmapping a kind takes from metrics and formulas of other kinds is refused too', async () => {
  const cleo = await openShop('cleo');
  await defineAll(cleo);
  const unmap = (input: Variables) =>
    change(gql, cleo, 'unmapEntity', input, 'kind breaks { kind name reason }');
  const emails = { kind: 'METRIC', name: 'emails', reason: 'No table is mapped to USER in this project.' };
  const refused = await unmap({ kind: 'USER' });
  expect(refused).toMatchObject({
    kind: null,
    breaks: [emails],
    userErrors: [{ code: 'IN_USE', path: ['kind'] }],
  });
  expect(await unmap({ kind: 'USER', allowBreaking: true })).toEqual({
    kind: 'USER',
    breaks: [emails],
    userErrors: [],
  });
  expect(Object.keys(await brokenIn(cleo))).toEqual(['emails']);
  expect(await map(cleo, users)).toMatchObject(nothingBreaks);
  expect(await brokenIn(cleo)).toEqual({});
  const { breaks } = await unmap({ kind: 'EVENT' });
  expect(breaks.map(({ kind, name }: Data) => [kind, name])).toEqual([
    ['METRIC', 'actions'],
    ['METRIC', 'amounts'],
    ['METRIC', 'mean'],
    ['METRIC', 'emails'],
    ['SIGNAL', 'low amounts'],
    ['TRANSFORMATION', 'doubled'],
    ['TRANSFORMATION', 'named'],
  ]);
});

test('a column that a measure cannot be taken of any more breaks as one that is gone', async () => {
  const dan = await openShop('dan');
  const { warehouse } = await gql.app.catalog.datastores.open(dan.projectId);
  await warehouse.run({
    sql: 'CREATE TABLE raw.notes AS SELECT id, user_id, name, "at", CAST(amount AS VARCHAR) AS amount FROM raw.events',
  });
  await gql.ask(dan, 'mutation { refreshCatalog(input: {}) { tables } }');
  await defineMetric(gql, dan, 'amounts', ofEvents({ aggregation: 'SUM', column: 'amount' }));
  await defineMetric(gql, dan, 'kinds', ofEvents({ aggregation: 'COUNT' }, { dimensions: ['name'] }));
  const { breaks } = await map(dan, { ...events, table: 'raw.notes', name: null, properties: ['amount'] });
  expect(breaks).toEqual([
    {
      kind: 'METRIC',
      name: 'amounts',
      reason: '"amount" is of type text, which cannot be summed: integers, decimals and floats can.',
    },
    { kind: 'METRIC', name: 'kinds', reason: expect.stringMatching(/^An event has no "name"\./) },
  ]);
});

test('what a mapping breaks costs as many statements of the store for 3 metrics as for 30, and none of the warehouse', async () => {
  const eve = await openShop('eve');
  const { warehouse } = await gql.app.catalog.datastores.open(eve.projectId);
  const define = async (from: number, to: number) => {
    for (let n = from; n < to; n += 1) {
      await defineMetric(gql, eve, `sum_${n}`, ofEvents({ aggregation: 'SUM', column: 'amount' }));
    }
  };
  const cost = () => statementsOf(() => map(eve, { ...events, properties: [] }));
  await define(0, 3);
  const few = await cost();
  await define(3, 30);
  const run = warehouse.run.bind(warehouse);
  let asked = 0;
  warehouse.run = (...given) => {
    asked += 1;
    return run(...given);
  };
  const many = await cost();
  warehouse.run = run;
  expect(many.length).toBe(few.length);
  expect(many.length).toBeLessThan(25);
  expect(asked).toBe(0);
});

test('no metric is made over what a mapping takes away at the same moment', async () => {
  const fay = await openShop('fay');
  for (let round = 0; round < 8; round += 1) {
    const name = `amounts_${round}`;
    const definition = ofEvents({ aggregation: 'SUM', column: 'amount' });
    const [made, mapped] = await Promise.all([
      change(gql, fay, 'createMetric', { name, definition }, 'metric { id }'),
      map(fay, { ...events, properties: [] }),
    ]);
    const isMade = made.userErrors.length === 0;
    const isMapped = mapped.userErrors.length === 0;
    expect(isMade && isMapped, `round ${round}`).toBe(false);
    expect(isMade || isMapped, `round ${round}`).toBe(true);
    if (made.metric) await change(gql, fay, 'deleteMetric', { id: made.metric.id }, 'deletedId');
    expect(await map(fay, events)).toMatchObject(nothingBreaks);
  }
});

test('another project keeps its mappings, metrics and names to itself', async () => {
  const [gil, hal] = [await openShop('gil'), await openShop('hal')];
  await defineAll(gil);
  expect(await map(hal, { ...events, properties: [] })).toMatchObject(nothingBreaks);
  expect(await brokenIn(gil)).toEqual({});
});

async function logOf(viewer: Viewer, taskId: string): Promise<string[]> {
  const lines: string[] = [];
  const query = 'subscription ($taskId: ID!) { taskLogs(taskId: $taskId) { lines { level message } } }';
  for await (const { data } of gql.follow(viewer, query, { taskId })) {
    for (const { level, message } of data.taskLogs.lines) if (level === 'WARN') lines.push(message);
  }
  return lines;
}

test('the log of a transformation names what its table breaks when it has a column less', async () => {
  const ida = await openShop('ida');
  const upsert = async (sql: string) => {
    const input = { name: 'clean', sql, target: { schema: 'made', table: 'clean' } };
    const { transformation, userErrors } = await change(
      gql,
      ida,
      'upsertTransformation',
      input,
      'transformation { id }',
    );
    expect(userErrors).toEqual([]);
    const { task } = await change(gql, ida, 'runTransformation', { id: transformation.id }, 'task { id }');
    return logOf(ida, task.id);
  };
  expect(await upsert('SELECT * FROM raw.events')).toEqual([]);
  expect(await map(ida, { ...events, table: 'made.clean' })).toMatchObject(nothingBreaks);
  await defineAll(ida);
  const simple = { table: 'made.clean', time: 'at', measure: { aggregation: 'MAX', column: 'amount' } };
  await defineMetric(gql, ida, 'largest', { simple });
  expect(await upsert('SELECT * FROM raw.events')).toEqual([]);
  const lines = await upsert('SELECT id, name, "at", user_id FROM raw.events');
  const noColumn = 'The table made.clean has no column "amount". It has: id, name, at, user_id.';
  expect(lines).toEqual([
    `The metric "amounts" does not work any more: ${noAmount}`,
    `The metric "mean" does not work any more: ${amountBreaks[1]!.reason}`,
    `The metric "largest" does not work any more: ${noColumn}`,
    `The signal "low amounts" does not work any more: ${amountBreaks[2]!.reason}`,
    `The transformation "doubled" does not work any more: ${amountBreaks[3]!.reason}`,
  ]);
  expect(Object.keys(await brokenIn(ida))).toEqual(['amounts', 'mean', 'largest']);
});

test('the log of a sync that makes its table anew names the metrics that it breaks', async () => {
  const jo = await gql.signUp('jo');
  const folder = join(gql.filesRoot, 'jo');
  await mkdir(folder, { recursive: true });
  const write = (text: string) => writeFile(join(folder, 'sales.csv'), text);
  await write('id,day,total\n1,2026-01-01,2.50\n2,2026-01-02,3.00\n');
  const config = { path: 'jo' };
  const { source } = await change(
    gql,
    jo,
    'createSource',
    { name: 's', type: 'files', config },
    'source { id }',
  );
  const here = { name: 'here', type: 'datastore', config: {} };
  const { destination } = await change(gql, jo, 'createDestination', here, 'destination { id }');
  const streams = [{ name: 'sales', syncMode: 'FULL_REFRESH' }];
  const ends = { sourceId: source.id, destinationId: destination.id };
  const { job } = await change(gql, jo, 'createJob', { name: 'j', ...ends, streams }, 'job { id }');
  const sync = async () =>
    logOf(jo, (await change(gql, jo, 'syncJob', { id: job.id }, 'task { id }')).task.id);
  expect(await sync()).toEqual([]);
  const simple = { table: 'raw.sales', time: 'day', measure: { aggregation: 'SUM', column: 'total' } };
  await defineMetric(gql, jo, 'sales', { simple });
  await write('id,day,total\n1,2026-01-01,many\n');
  const { warehouse } = await gql.app.catalog.datastores.open(jo.projectId);
  await warehouse.run({ sql: 'DROP TABLE raw.sales' });
  const problem = '"total" is of type text, which cannot be summed';
  const ofMetrics = (await sync()).filter((line) => line.startsWith('The metric'));
  expect(ofMetrics).toEqual([
    expect.stringContaining(`The metric "sales" does not work any more: ${problem}`),
  ]);
  expect(await brokenIn(jo)).toEqual({ sales: expect.stringContaining(problem) });
});
