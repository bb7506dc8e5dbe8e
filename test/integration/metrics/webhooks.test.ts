import { createHmac, timingSafeEqual } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLog } from '#base/log.ts';
import { deliverWebhooks } from '#metrics/deliver-webhooks.ts';
import { deleteSignal } from '#metrics/delete-signal.ts';
import { evaluateSignal } from '#metrics/evaluate-signal.ts';
import type { SignalDeps } from '#metrics/signal-deps.ts';
import { updateSignal } from '#metrics/update-signal.ts';
import { openReceiver, openSignalLab, type Receiver, type SignalLab } from '../../support/signals.ts';

let lab: SignalLab;
let receiver: Receiver;
const never = new AbortController().signal;
const asked = { requestId: 'test', signal: never };

beforeAll(async () => {
  lab = await openSignalLab(['127.0.0.1', 'localhost:1']);
});
beforeEach(async () => {
  await receiver?.[Symbol.asyncDispose]();
  receiver = await openReceiver();
  await lab.gql.app.store.db.signal.updateMany({ data: { deletedAt: new Date() } });
  await lab.gql.app.store.db.webhookDelivery.deleteMany();
  lab.clock.now = new Date('2026-11-21T10:00:00Z');
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const deliver = (deps: SignalDeps = lab.deps) => deliverWebhooks(deps, never);
const evaluate = (id: string) => evaluateSignal(lab.deps, lab.viewer, { id }, asked);
const told = () => receiver.received.map(({ body }) => (JSON.parse(body) as { event: string }).event);

/** Evaluates the signal with so many sign-ups yesterday, and sends what is due. */
async function findAndTell(id: string, count: number): Promise<void> {
  await lab.signUps('2026-11-20', count);
  await evaluate(id);
  await deliver();
}

async function deliveryOf(evaluationId: string) {
  return lab.gql.app.store.db.webhookDelivery.findUniqueOrThrow({ where: { evaluationId } });
}

/** As docs/signals.md has it, for whoever is sent a webhook. */
function isGenuine(secret: string, header: string, body: string, now: Date): boolean {
  const { t = '', v1 = '' } = Object.fromEntries(header.split(',').map((part) => part.split('=', 2)));
  const expected = createHmac('sha256', secret).update(`${t}.${body}`).digest();
  const given = Buffer.from(v1, 'hex');
  const isFresh = Math.abs(now.getTime() / 1_000 - Number(t)) < 300;
  return isFresh && given.length === expected.length && timingSafeEqual(given, expected);
}

test('a webhook says what was found, signed so that its receiver can tell who sent it and when', async () => {
  const { id, webhookSecret } = await lab.signal({ webhookUrl: receiver.url });
  await findAndTell(id, 12);
  const [{ headers, body, path }] = receiver.received as [Receiver['received'][number]];
  expect(path).toBe('/hook?token=hush');
  expect(JSON.parse(body)).toEqual({
    event: 'triggered',
    signal: { id: expect.any(String), name: expect.stringMatching(/^few sign-ups/) },
    metric: 'signups',
    state: 'TRIGGERED',
    value: 12,
    previousValue: 0,
    measure: 'VALUE',
    operator: 'LT',
    threshold: 20,
    grain: 'DAY',
    at: '2026-11-21T10:00:00.000Z',
    message: 'signups was 12 in the day of 2026-11-20, below 20.',
    evaluationId: expect.any(String),
  });
  expect(headers['content-type']).toBe('application/json');
  expect(headers['sluice-delivery']).toBe((JSON.parse(body) as { evaluationId: string }).evaluationId);
  const signature = headers['sluice-signature'] as string;
  expect(webhookSecret).toMatch(/^whsec_[\w-]{43}$/);
  expect(isGenuine(webhookSecret as string, signature, body, lab.clock.now)).toBe(true);
  expect(isGenuine(webhookSecret as string, signature, `${body} `, lab.clock.now)).toBe(false);
  expect(isGenuine('whsec_another', signature, body, lab.clock.now)).toBe(false);
  expect(isGenuine(webhookSecret as string, signature, body, new Date('2026-11-21T11:00:00Z'))).toBe(false);
});

test('without a cooldown it is told once that a signal is triggered, and once that it is over', async () => {
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  for (const count of [25, 12, 11, 25, 26, 10]) await findAndTell(id, count);
  expect(told()).toEqual(['triggered', 'resolved', 'triggered']);
});

test('with a cooldown, what stays triggered is told again after it, and what comes and goes no sooner', async () => {
  const { id } = await lab.signal({ webhookUrl: receiver.url, cooldownMinutes: 60 });
  await findAndTell(id, 12);
  lab.pass(30);
  await findAndTell(id, 11);
  expect(told()).toEqual(['triggered']);
  lab.pass(30);
  await findAndTell(id, 10);
  expect(told()).toEqual(['triggered', 'triggered']);
  lab.pass(1);
  await findAndTell(id, 25);
  lab.pass(1);
  await findAndTell(id, 10);
  lab.pass(1);
  await findAndTell(id, 25);
  expect(told()).toEqual(['triggered', 'triggered', 'resolved']);
  lab.pass(60);
  await findAndTell(id, 10);
  expect(told()).toEqual(['triggered', 'triggered', 'resolved', 'triggered']);
});

test('no data tells nothing, and ends nothing', async () => {
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await findAndTell(id, 12);
  const { db } = lab.gql.app.store;
  const metric = await db.metric.findUniqueOrThrow({ where: { id: lab.metricId } });
  await db.metric.update({
    where: { id: metric.id },
    data: { definition: { simple: { table: 'gone', measure: { aggregation: 'COUNT' } } } },
  });
  await evaluate(id);
  expect(await lab.read(id)).toMatchObject({ state: 'NO_DATA' });
  await db.metric.update({ where: { id: metric.id }, data: { definition: metric.definition as object } });
  await findAndTell(id, 11);
  await findAndTell(id, 25);
  expect(told()).toEqual(['triggered', 'resolved']);
});

test('a signal without a webhook tells nobody; a new one hears that the signal is triggered', async () => {
  const { id } = await lab.signal();
  await findAndTell(id, 12);
  expect(await lab.gql.app.store.db.webhookDelivery.count()).toBe(0);
  const added = await updateSignal(lab.deps, lab.viewer, { id, webhookUrl: receiver.url });
  await findAndTell(id, 12);
  const moved = await updateSignal(lab.deps, lab.viewer, { id, webhookUrl: `${receiver.url}&second` });
  expect(moved.webhookSecret).not.toBe(added.webhookSecret);
  await findAndTell(id, 12);
  await updateSignal(lab.deps, lab.viewer, { id, webhookUrl: null });
  await findAndTell(id, 30);
  expect(told()).toEqual(['triggered', 'triggered']);
  expect(receiver.received.map(({ path }) => path)).toEqual(['/hook?token=hush', '/hook?token=hush&second']);
});

test('what is not taken is sent again, the very same, after pauses that grow', async () => {
  receiver.statuses.push(500, 404);
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  await deliver();
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    attempts: 1,
    deliveredAt: null,
    nextAttemptAt: new Date('2026-11-21T10:00:10Z'),
    lastError: 'It was answered with 500.',
  });
  expect(await deliver()).toBe(0);
  lab.pass(0.2);
  expect(await deliver()).toBe(1);
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    attempts: 2,
    lastError: 'It was answered with 404.',
  });
  lab.pass(0.5);
  await deliver();
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    attempts: 3,
    deliveredAt: lab.clock.now,
    nextAttemptAt: null,
    lastError: null,
  });
  lab.pass(600);
  expect(await deliver()).toBe(0);
  expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
});

test('after eight attempts within two hours a webhook is given up', async () => {
  receiver.statuses.push(...Array.from({ length: 20 }, () => 503));
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  const deps = { ...lab.deps, log: createLog('silent') };
  const begun = lab.clock.now.getTime();
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    expect(await deliver(deps)).toBe(1);
    const { nextAttemptAt } = await deliveryOf(evaluation.id);
    if (attempt < 8) lab.clock.now = nextAttemptAt as Date;
  }
  expect(lab.clock.now.getTime() - begun).toBeGreaterThan(3_600_000);
  expect(lab.clock.now.getTime() - begun).toBeLessThan(7_200_000);
  lab.pass(10_000);
  expect(await deliver(deps)).toBe(0);
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    attempts: 8,
    nextAttemptAt: null,
    deliveredAt: null,
  });
});

test('410 ends it at once, and so does the end of the signal or of its webhook', async () => {
  const deps = { ...lab.deps, log: createLog('silent') };
  receiver.statuses.push(410);
  const ends: [string, (id: string) => Promise<unknown>][] = [
    ['It was answered with 410: gone for good.', async () => {}],
    ['The signal has no webhook any more.', (id) => deleteSignal(lab.deps, lab.viewer, { id })],
    [
      'The signal has no webhook any more.',
      (id) => updateSignal(lab.deps, lab.viewer, { id, webhookUrl: null }),
    ],
  ];
  await lab.signUps('2026-11-20', 12);
  for (const [lastError, end] of ends) {
    const { id } = await lab.signal({ webhookUrl: receiver.url });
    const evaluation = await evaluate(id);
    await end(id);
    await deliver(deps);
    expect(await deliveryOf(evaluation.id)).toMatchObject({
      nextAttemptAt: null,
      deliveredAt: null,
      lastError,
    });
  }
  expect(receiver.received.length).toBe(1);
});

test('a redirect is not followed', async () => {
  receiver.statuses.push(302);
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  await deliver();
  expect(receiver.received.map(({ path }) => path)).toEqual(['/hook?token=hush']);
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    lastError: 'It was answered with 302, and redirects are not followed.',
  });
});

test('an address that is not public is refused when a signal is made, by its name too, and again at each delivery', async () => {
  const strict = { ...lab.deps, webhookHosts: [] };
  const port = new URL(receiver.url).port;
  for (const webhookUrl of [
    receiver.url,
    `http://localhost:${port}/`,
    'http://169.254.169.254/latest/meta-data',
  ]) {
    await expect(
      updateSignal(strict, lab.viewer, { id: (await lab.signal()).id, webhookUrl }),
    ).rejects.toMatchObject({
      problems: [{ code: 'INVALID', path: ['webhookUrl'], message: expect.stringMatching(/not public/) }],
    });
  }
  // Allowed when it was made, and at an address that is not public by now: as a name that was made to lead elsewhere.
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  await deliver(strict);
  expect(receiver.received).toEqual([]);
  expect(await deliveryOf(evaluation.id)).toMatchObject({
    attempts: 1,
    lastError: 'The host 127.0.0.1 leads to an address that is not public.',
  });
});

test('of several loops one sends a webhook', async () => {
  const ids = await Promise.all([1, 2, 3, 4, 5].map(() => lab.signal({ webhookUrl: receiver.url })));
  await lab.signUps('2026-11-20', 12);
  for (const { id } of ids) await evaluate(id);
  const counts = await Promise.all([deliver(), deliver(), deliver()]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(5);
  expect(new Set(receiver.received.map(({ headers }) => headers['sluice-delivery'])).size).toBe(5);
  expect(receiver.received.length).toBe(5);
});

test('a process that dies with a webhook in its hands leaves it to another', async () => {
  const { db } = lab.gql.app.store;
  const { id } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  // As it leaves it: claimed, and nothing heard of it since.
  await db.webhookDelivery.update({
    where: { evaluationId: evaluation.id },
    data: { attempts: 1, nextAttemptAt: new Date(lab.clock.now.getTime() + 60_000) },
  });
  expect(await deliver()).toBe(0);
  lab.pass(1);
  expect(await deliver()).toBe(1);
  expect(told()).toEqual(['triggered']);
});

test('neither the URL nor the secret lies open in the store or is logged', async () => {
  const lines: string[] = [];
  const deps = { ...lab.deps, log: createLog('debug', (line) => lines.push(line)) };
  receiver.statuses.push(500);
  const { id, webhookSecret } = await lab.signal({ webhookUrl: receiver.url });
  await lab.signUps('2026-11-20', 12);
  const evaluation = await evaluate(id);
  await deliver(deps);
  expect(lines.length).toBe(1);
  const open = JSON.stringify([lines, await lab.read(id), await deliveryOf(evaluation.id)]);
  expect(open).not.toContain('hush');
  expect(open).not.toContain(webhookSecret);
  // What was sealed for one signal does not open for another.
  const other = await lab.signal();
  const { webhook } = await lab.read(id);
  await lab.gql.app.store.db.signal.update({ where: { id: other.id }, data: { webhook: webhook as object } });
  const moved = await evaluate(other.id);
  await deliver(deps);
  expect((await deliveryOf(moved.id)).lastError).toMatch(/belongs to another row/);
  expect(receiver.received.length).toBe(1);
});
