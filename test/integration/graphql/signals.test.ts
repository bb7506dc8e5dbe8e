import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { globalId, readGlobalId } from '#graphql/global-id.ts';
import { expectStatements, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { insertMetric, insertSignal } from '../../support/rows.ts';
import { defineMetric, fillShop, ofEvents } from '../../support/shop.ts';
import { openReceiver } from '../../support/signals.ts';

let gql: TestGraphql;
let ada: Viewer;
let metricId: string;

beforeAll(async () => {
  gql = await openTestGraphql({ webhookHosts: ['127.0.0.1'] });
  ada = await gql.signUp('ada');
  await fillShop(gql, ada);
  metricId = await defineMetric(gql, ada, 'actions', ofEvents({ aggregation: 'COUNT' }));
});
afterAll(() => gql[Symbol.asyncDispose]());

const created = `mutation ($input: CreateSignalInput!) { createSignal(input: $input) { webhookSecret userErrors { code path message }
  signal { id name state hasWebhook webhookHost cooldownMinutes nextRunAt schedule { cron timeZone } metric { name } lastEvaluation { id } } } }`;
const evaluated = `mutation ($id: ID!) { evaluateSignal(input: { id: $id }) { userErrors { code }
  evaluation { id at state value previousValue message signal { state } delivery { attempts deliveredAt nextAttemptAt lastError } } } }`;

async function create(input: object = {}) {
  const threshold = { operator: 'LT', threshold: 1, grain: 'DAY' };
  const all = { name: `signal ${newId()}`, metricId, ...threshold, ...input };
  return (await gql.ask(ada, created, { input: all })).createSignal;
}

test('a signal is made, changed, evaluated, read and deleted', async () => {
  await using receiver = await openReceiver();
  const made = await create({ name: 'quiet', webhookUrl: receiver.url, schedule: { cron: '0 9 * * *' } });
  expect(made).toEqual({
    webhookSecret: expect.stringMatching(/^whsec_/),
    userErrors: [],
    signal: {
      id: expect.any(String),
      name: 'quiet',
      state: 'NO_DATA',
      hasWebhook: true,
      webhookHost: new URL(receiver.url).host,
      cooldownMinutes: 0,
      nextRunAt: expect.any(String),
      schedule: { cron: '0 9 * * *', timeZone: 'UTC' },
      metric: { name: 'actions' },
      lastEvaluation: null,
    },
  });
  const { id } = made.signal;
  const { evaluateSignal } = await gql.ask(ada, evaluated, { id });
  expect(evaluateSignal).toEqual({
    userErrors: [],
    evaluation: {
      id: expect.any(String),
      at: expect.any(String),
      state: 'TRIGGERED',
      value: 0,
      previousValue: 0,
      message: expect.stringMatching(/^actions was 0 in the day of .*, below 1\.$/),
      signal: { state: 'TRIGGERED' },
      delivery: { attempts: 0, deliveredAt: null, nextAttemptAt: expect.any(String), lastError: null },
    },
  });
  const { updateSignal } = await gql.ask(
    ada,
    `mutation ($id: ID!) { updateSignal(input: { id: $id, threshold: -1, schedule: null, webhookUrl: null, expectedRevision: 1 }) {
      webhookSecret userErrors { code } signal { revision threshold schedule { cron } hasWebhook webhookHost } } }`,
    { id },
  );
  expect(updateSignal).toEqual({
    webhookSecret: null,
    userErrors: [],
    signal: { revision: 2, threshold: -1, schedule: null, hasWebhook: false, webhookHost: null },
  });
  await gql.ask(ada, evaluated, { id });
  const { signal } = await gql.ask(
    ada,
    '{ signal(name: "quiet") { state lastEvaluation { state } evaluations { totalCount nodes { state } } } }',
  );
  expect(signal).toEqual({
    state: 'OK',
    lastEvaluation: { state: 'OK' },
    evaluations: { totalCount: 2, nodes: [{ state: 'OK' }, { state: 'TRIGGERED' }] },
  });
  const { deleteSignal } = await gql.ask(
    ada,
    'mutation ($id: ID!) { deleteSignal(input: { id: $id }) { deletedId userErrors { code } } }',
    { id },
  );
  expect(deleteSignal).toEqual({ deletedId: id, userErrors: [] });
  const gone = await gql.ask(
    ada,
    'query ($ids: [ID!]!) { signal(name: "quiet") { id } nodes(ids: $ids) { id } }',
    {
      ids: [id, evaluateSignal.evaluation.id],
    },
  );
  expect(gone).toEqual({ signal: null, nodes: [null, null] });
});

test('the URL of a webhook comes back nowhere', async () => {
  await using receiver = await openReceiver();
  const { signal } = await create({ webhookUrl: receiver.url });
  const { evaluateSignal } = await gql.ask(ada, evaluated, { id: signal.id });
  expect(JSON.stringify([signal, evaluateSignal])).not.toContain('hush');
});

test('what is wrong with a new signal is told in userErrors, all of it', async () => {
  const { signal, userErrors } = await create({
    name: '',
    webhookUrl: 'http://localhost/',
    cooldownMinutes: -5,
  });
  expect(signal).toBeNull();
  expect(userErrors).toMatchObject([
    { code: 'REQUIRED', path: ['name'] },
    { code: 'INVALID', path: ['cooldownMinutes'] },
    { code: 'INVALID', path: ['webhookUrl'] },
  ]);
});

test('a metric that a signal watches cannot be deleted, and the signal is named', async () => {
  const { signal } = await create();
  const { deleteMetric } = await gql.ask(
    ada,
    'mutation ($id: ID!) { deleteMetric(input: { id: $id }) { userErrors { code message } } }',
    { id: metricId },
  );
  expect(deleteMetric.userErrors).toMatchObject([
    { code: 'IN_USE', message: expect.stringContaining(`"${signal.name}"`) },
  ]);
});

test('evaluations are paged newest first, both ways, and those of many signals cost two statements', async () => {
  const bob = await gql.signUp('bob');
  const { db } = gql.app.store;
  const metric = await insertMetric(db, bob, 'orders');
  for (let n = 0; n < 5; n += 1) await insertSignal(db, bob, metric, 7);
  const page = `query ($first: Int, $after: String, $last: Int, $before: String) { signals { totalCount nodes { evaluations(first: $first, after: $after, last: $last, before: $before) {
    nodes { value } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }`;
  const values = (
    answer: { signals: { nodes: { evaluations: { nodes: { value: number }[] } }[] } },
    at = 0,
  ) => answer.signals.nodes[at]?.evaluations.nodes.map(({ value }) => value);
  const first = await gql.ask(bob, page, { first: 3 });
  expect(first.signals.totalCount).toBe(5);
  for (let at = 0; at < 5; at += 1) expect(values(first, at)).toEqual([6, 5, 4]);
  const { endCursor } = first.signals.nodes[0].evaluations.pageInfo;
  expect(values(await gql.ask(bob, page, { first: 3, after: endCursor }))).toEqual([3, 2, 1]);
  expect(values(await gql.ask(bob, page, { last: 2 }))).toEqual([1, 0]);
  const last = await gql.ask(bob, page, { last: 2 });
  const { startCursor } = last.signals.nodes[0].evaluations.pageInfo;
  expect(values(await gql.ask(bob, page, { last: 2, before: startCursor }))).toEqual([3, 2]);
  // The signals, which evaluations each page has, and those.
  await expectStatements(3, () =>
    gql.ask(bob, '{ signals { nodes { evaluations { nodes { state delivery { attempts } } } } } }'),
  );
  await expectStatements(3, () =>
    gql.ask(bob, '{ signals { nodes { metric { name } lastEvaluation { message } } } }'),
  );
});

function listen(viewer: Viewer, query: string, variables: object, leaving: AbortController) {
  const heard: string[] = [];
  const errors: unknown[] = [];
  const ended = (async () => {
    for await (const answer of gql.follow(viewer, query, variables as never, leaving.signal)) {
      errors.push(...answer.errors.map((error) => error.extensions.code));
      if (answer.data) heard.push(answer.data.signalEvaluated.id);
    }
  })();
  return { heard, errors, ended };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}`);
    await wait(10);
  }
}

const evaluationOf = async (id: string): Promise<string> =>
  (await gql.ask(ada, evaluated, { id })).evaluateSignal.evaluation.id;

const follows = 'subscription ($id: ID) { signalEvaluated(signalId: $id) { id state } }';

test('signalEvaluated gives each evaluation of the signal, or of the project, once and in order, and none of others', async () => {
  const { signal: one } = await create();
  const { signal: other } = await create();
  const eve = await gql.signUp('eve');
  const leaving = new AbortController();
  const ofOne = listen(ada, follows, { id: one.id }, leaving);
  const ofAll = listen(ada, follows, {}, leaving);
  const ofEve = listen(eve, follows, {}, leaving);
  await wait(300);
  const made = [];
  for (const { id } of [one, other, one, one, other]) made.push({ id, evaluation: await evaluationOf(id) });
  await until('all evaluations', () => ofAll.heard.length >= 5 && ofOne.heard.length >= 3);
  await wait(100);
  expect(ofAll.heard).toEqual(made.map(({ evaluation }) => evaluation));
  expect(ofOne.heard).toEqual(made.filter(({ id }) => id === one.id).map(({ evaluation }) => evaluation));
  expect(ofEve.heard).toEqual([]);
  leaving.abort();
  await Promise.all([ofOne.ended, ofAll.ended, ofEve.ended]);
});

test('an evaluation whose notification was lost is heard of all the same', async () => {
  const { signal } = await create();
  const leaving = new AbortController();
  const { heard, ended } = listen(ada, follows, { id: signal.id }, leaving);
  await wait(300);
  const id = newId();
  const signalId = readGlobalId(signal.id)?.uuid as string;
  // Written without a word to anybody.
  await gql.app.store.db.signalEvaluation.create({
    data: { id, projectId: ada.projectId, signalId, createdAt: new Date(), state: 'OK', message: 'unheard' },
  });
  await until('the evaluation', () => heard.length === 1);
  expect(heard).toEqual([globalId('SignalEvaluation', id)]);
  leaving.abort();
  await ended;
});

test('an unknown signal refuses the subscription', async () => {
  const leaving = new AbortController();
  const { errors, ended } = listen(ada, follows, { id: globalId('Signal', newId()) }, leaving);
  await ended.catch(() => {});
  expect(errors).toEqual(['NOT_FOUND']);
});
