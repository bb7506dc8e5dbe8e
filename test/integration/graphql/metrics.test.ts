import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { change, defineMetric, fillShop, ofEvents } from '../../support/shop.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillShop(gql, ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

const january = 'from: "2026-01-01T00:00:00Z", to: "2026-01-29T00:00:00Z"';
const count = ofEvents({ aggregation: 'COUNT' });
const people = ofEvents({ aggregation: 'COUNT_DISTINCT', column: 'userKey' });

const conversion = {
  conversion: {
    first: { name: { eq: 'report_opened' }, at: { gte: '2026-01-03T00:00:00+02:00' } },
    second: { name: { eq: 'query_run' } },
    windowCount: 4,
    windowGrain: 'DAY',
  },
};

const create = (input: Variables) =>
  change(gql, ada, 'createMetric', input, 'metric { id name title description kind definition revision }');
const update = (input: Variables) =>
  change(gql, ada, 'updateMetric', input, 'metric { name title revision definition } usedBy { name }');
const remove = (id: string) => change(gql, ada, 'deleteMetric', { id }, 'deletedId');
const valueOf = async (name: string) =>
  (await gql.ask(ada, `{ metric(name: "${name}") { value(${january}) } }`)).metric.value;

test('a metric that was defined is asked at once, and shows what it was defined by', async () => {
  const made = await create({
    name: 'events_done',
    title: 'Events',
    description: 'All that was done',
    definition: count,
  });
  expect(made).toEqual({
    metric: {
      id: expect.any(String),
      name: 'events_done',
      title: 'Events',
      description: 'All that was done',
      kind: 'SIMPLE',
      definition: count,
      revision: 1,
    },
    userErrors: [],
  });
  expect(await valueOf('events_done')).toBe(59);
  const again = await gql.ask(
    ada,
    `query ($id: ID!) { metric(id: $id) { name createdBy { username } updatedBy { username } createdAt updatedAt }
       node(id: $id) { id __typename } metrics(search: "EVENTS") { totalCount nodes { name } } }`,
    { id: made.metric.id },
  );
  expect(again).toMatchObject({
    metric: { name: 'events_done', createdBy: { username: 'ada' }, updatedBy: { username: 'ada' } },
    node: { id: made.metric.id, __typename: 'Metric' },
    metrics: { totalCount: 1, nodes: [{ name: 'events_done' }] },
  });
});

test('without a title it has its name for people too', async () => {
  expect((await create({ name: 'untitled', definition: count })).metric.title).toBe('untitled');
});

test('a metric of each kind is made, asked, and named by its kind', async () => {
  await create({ name: 'people', definition: people });
  await create({ name: 'actions', definition: count });
  const kinds: Record<string, Variables> = {
    RATIO: { ratio: { numerator: 'actions', denominator: 'people' } },
    DERIVED: { derived: { expression: '(actions - people) / 5' } },
    CUMULATIVE: { cumulative: { metric: 'people', windowCount: 7, windowGrain: 'DAY' } },
    CONVERSION: conversion,
  };
  for (const [kind, definition] of Object.entries(kinds)) {
    const { metric, userErrors } = await create({ name: kind.toLowerCase(), definition });
    expect({ kind: metric?.kind, userErrors }).toEqual({ kind, userErrors: [] });
  }
  expect(await valueOf('ratio')).toBeCloseTo(59 / 4);
  expect(await valueOf('derived')).toBe(11);
  // Users 1 and 3 open a report, and run a query within four days; 2 and 4 open reports only.
  expect(await valueOf('conversion')).toBe(0.5);
  const { metric } = await gql.ask(ada, '{ metric(name: "conversion") { definition } }');
  expect(metric.definition.conversion.first.at).toEqual({ gte: '2026-01-02T22:00:00.000Z' });
});

const wrongNames = ['1st', 'two words', 'größe', 'a-b', '', '   ', 'x'.repeat(201)];
test.each(wrongNames)('the name %j is refused, since expressions could not say it', async (name) => {
  const { metric, userErrors } = await create({ name, definition: count });
  expect(metric).toBeNull();
  expect(userErrors).toMatchObject([{ path: ['name'] }]);
});

const wrongDefinitions: [string, Variables, object][] = [
  ['of no kind', {}, { path: ['definition'] }],
  ['of two kinds', { ...count, derived: { expression: 'actions' } }, { path: ['definition'] }],
  [
    'over neither an entity nor a table',
    { simple: { measure: { aggregation: 'COUNT' } } },
    { code: 'REQUIRED', path: ['definition', 'simple', 'entity'] },
  ],
  [
    'over a table that is not there',
    { simple: { table: 'warehouse.warehouse.raw.evnts', time: 'at', measure: { aggregation: 'COUNT' } } },
    { path: ['definition', 'simple', 'table'], message: expect.stringContaining('Did you mean') },
  ],
  [
    'of a column that is not there',
    ofEvents({ aggregation: 'SUM', column: 'amuont' }),
    { path: ['definition', 'simple', 'measure', 'column'], message: expect.stringContaining('"amount"') },
  ],
  [
    'of a type that cannot be summed',
    ofEvents({ aggregation: 'SUM', column: 'name' }),
    { path: ['definition', 'simple', 'measure', 'column'] },
  ],
  [
    'of a percentile beyond 1',
    ofEvents({ aggregation: 'PERCENTILE', column: 'amount', percentile: 95 }),
    { path: ['definition', 'simple', 'measure', 'percentile'] },
  ],
  [
    'with a filter on nothing there is',
    ofEvents({ aggregation: 'COUNT' }, { filter: [{ property: 'colour', eq: 'red' }] }),
    { path: expect.arrayContaining(['definition', 'simple', 'filter']) },
  ],
  [
    'with a dimension that is not there',
    ofEvents({ aggregation: 'COUNT' }, { dimensions: ['amount', 'colour'] }),
    { path: expect.arrayContaining(['definition', 'simple', 'dimensions']) },
  ],
  [
    'of a metric that is not there',
    { ratio: { numerator: 'actons', denominator: 'people' } },
    { path: ['definition', 'ratio', 'numerator'], message: expect.stringContaining('"actions"') },
  ],
  [
    'of an expression that cannot be read',
    { derived: { expression: 'actions + * people' } },
    { path: ['definition', 'derived', 'expression'] },
  ],
  ['of itself', { derived: { expression: 'mine + 1' } }, { path: ['definition', 'derived', 'expression'] }],
  [
    'with half a window',
    { cumulative: { metric: 'people', windowCount: 7 } },
    { path: expect.arrayContaining(['definition', 'cumulative']) },
  ],
  [
    'with a window that never ends',
    {
      conversion: {
        first: { name: { eq: 'a' } },
        second: { name: { eq: 'b' } },
        windowCount: 0,
        windowGrain: 'DAY',
      },
    },
    { path: ['definition', 'conversion', 'windowCount'] },
  ],
];
test.each(wrongDefinitions)(
  'a definition %s is refused where it is wrong',
  async (_what, definition, problem) => {
    const { metric, userErrors } = await create({ name: 'mine', definition });
    expect(metric).toBeNull();
    expect(userErrors).toEqual([expect.objectContaining({ message: expect.any(String), ...problem })]);
  },
);

test('everything wrong with a metric is said at once', async () => {
  const { userErrors } = await create({
    name: 'no name',
    title: 'x'.repeat(201),
    definition: ofEvents(
      { aggregation: 'SUM', column: 'nothing' },
      { filter: [{ property: 'colour', eq: 'red' }] },
    ),
  });
  const paths = userErrors.map(({ path }: { path: string[] }) => path.slice(0, 3).join('.'));
  expect(paths).toEqual(['name', 'title', 'definition.simple.measure', 'definition.simple.filter']);
});

test('a name is taken once in a project, also when two come at once, and is free again after a deletion', async () => {
  const both = await Promise.all([1, 2].map(() => create({ name: 'twin', definition: count })));
  const codes = both.flatMap(({ userErrors }) => userErrors.map(({ code }: { code: string }) => code));
  expect(codes).toEqual(['NOT_UNIQUE']);
  const made = both.find(({ metric }) => metric !== null);
  expect(await remove(made.metric.id)).toEqual({ deletedId: made.metric.id, userErrors: [] });
  expect((await gql.ask(ada, '{ metric(name: "twin") { id } }')).metric).toBeNull();
  expect((await create({ name: 'twin', definition: count })).userErrors).toEqual([]);
});

test('a repeat with the same idempotency key makes nothing new', async () => {
  const input = { name: 'once', definition: count, idempotencyKey: 'k1' };
  const first = await create(input);
  const second = await create(input);
  expect(second).toEqual(first);
  const other = await create({ ...input, name: 'twice' });
  expect(other.userErrors).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED' }]);
});

test('many metrics that are made at once, each of another, all come out well', async () => {
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      create({ name: `busy_${n}`, definition: { derived: { expression: `actions + ${n}` } } }),
    ),
  );
  expect(made.flatMap(({ userErrors }) => userErrors)).toEqual([]);
});

test('a change is live with the next question, under the next revision, and names what uses the metric', async () => {
  const id = await defineMetric(gql, ada, 'base', count);
  await defineMetric(gql, ada, 'double_base', { derived: { expression: 'base * 2' } });
  await defineMetric(gql, ada, 'quadruple_base', { derived: { expression: 'double_base * 2' } });
  expect(await valueOf('quadruple_base')).toBe(236);
  const changed = await update({ id, definition: people, expectedRevision: 1 });
  expect(changed).toEqual({
    metric: { name: 'base', title: 'base', revision: 2, definition: people },
    usedBy: [{ name: 'double_base' }, { name: 'quadruple_base' }],
    userErrors: [],
  });
  expect(await valueOf('quadruple_base')).toBe(16);
  const late = await update({ id, title: 'Late', expectedRevision: 1 });
  expect(late).toMatchObject({
    metric: null,
    userErrors: [{ code: 'CONFLICT', path: ['expectedRevision'] }],
  });
  const { metric } = await gql.ask(ada, '{ metric(name: "base") { usedBy { name } } }');
  expect(metric.usedBy).toEqual([{ name: 'double_base' }, { name: 'quadruple_base' }]);
});

test('words are changed, kept and taken away', async () => {
  const { metric } = await create({ name: 'wordy', title: 'T', description: 'D', definition: count });
  const ask = async () => (await gql.ask(ada, '{ metric(name: "wordy") { title description } }')).metric;
  await update({ id: metric.id, title: 'New' });
  expect(await ask()).toEqual({ title: 'New', description: 'D' });
  await update({ id: metric.id, title: null, description: null });
  expect(await ask()).toEqual({ title: 'wordy', description: null });
});

test('a metric that others use by its name keeps it; a free one is renamed', async () => {
  const id = await defineMetric(gql, ada, 'named', count);
  const user = await defineMetric(gql, ada, 'naming', { derived: { expression: 'named + 1' } });
  const refused = await update({ id, name: 'renamed' });
  expect(refused.userErrors).toMatchObject([{ code: 'IN_USE', path: ['name'] }]);
  expect(refused.userErrors[0].message).toContain('"naming"');
  expect((await update({ id: user, name: 'renaming' })).metric.name).toBe('renaming');
  expect((await update({ id: user, name: 'named' })).userErrors).toMatchObject([{ code: 'NOT_UNIQUE' }]);
});

test('a change that would break what uses the metric is refused, with the names of that', async () => {
  const id = await defineMetric(gql, ada, 'summed', ofEvents({ aggregation: 'SUM', column: 'amount' }));
  await defineMetric(gql, ada, 'rolling', {
    cumulative: { metric: 'summed', windowCount: 7, windowGrain: 'DAY' },
  });
  const refused = await update({ id, definition: conversion });
  expect(refused).toMatchObject({ metric: null, usedBy: [] });
  expect(refused.userErrors).toMatchObject([{ code: 'IN_USE', path: ['definition'] }]);
  expect(refused.userErrors[0].message).toContain('"rolling"');
  const cycle = await update({ id, definition: { derived: { expression: 'rolling + 1' } } });
  expect(cycle.userErrors).toMatchObject([{ path: ['definition', 'derived', 'expression'] }]);
});

test('a metric that metrics or signals use is not deleted, and they are named', async () => {
  const id = await defineMetric(gql, ada, 'needed', count);
  const user = await defineMetric(gql, ada, 'needing', { derived: { expression: 'needed / 2' } });
  const { db } = gql.app.store;
  const { id: metricId } = await db.metric.findFirstOrThrow({ where: { name: 'needed' } });
  await db.signal.create({
    data: {
      id: metricId,
      projectId: ada.projectId,
      name: 'alarm',
      metricId,
      operator: 'GT',
      threshold: 1,
      measure: 'VALUE',
      grain: 'DAY',
      createdAt: new Date(),
      updatedAt: new Date(),
    },
  });
  const refused = await remove(id);
  expect(refused).toMatchObject({ deletedId: null, userErrors: [{ code: 'IN_USE', path: ['id'] }] });
  expect(refused.userErrors[0].message).toContain('the metric "needing"');
  expect(refused.userErrors[0].message).toContain('the signal "alarm"');
  await remove(user);
  expect((await remove(id)).userErrors).toMatchObject([{ code: 'IN_USE' }]);
  await db.signal.delete({ where: { id: metricId } });
  expect((await remove(id)).userErrors).toEqual([]);
});

test('of two changes at once that together would make a cycle one is refused', async () => {
  const one = await defineMetric(gql, ada, 'egg', count);
  const two = await defineMetric(gql, ada, 'hen', count);
  const both = await Promise.all([
    update({ id: one, definition: { derived: { expression: 'hen + 1' } } }),
    update({ id: two, definition: { derived: { expression: 'egg + 1' } } }),
  ]);
  expect(both.flatMap(({ userErrors }) => userErrors)).toMatchObject([
    { code: 'INVALID', path: ['definition', 'derived', 'expression'] },
  ]);
});

test('a metric and what it stands on are not deleted and made at once', async () => {
  const id = await defineMetric(gql, ada, 'ground', count);
  const [removed, made] = await Promise.all([
    remove(id),
    create({ name: 'house', definition: { derived: { expression: 'ground + 1' } } }),
  ]);
  expect([removed.deletedId === null, made.metric === null].filter(Boolean)).toEqual([true]);
});
