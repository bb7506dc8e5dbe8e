import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import { createLog } from '#base/log.ts';
import { openDatastores } from '#catalog/datastores.ts';
import { createSignal } from '#metrics/create-signal.ts';
import { deleteSignal } from '#metrics/delete-signal.ts';
import { evaluateSignal } from '#metrics/evaluate-signal.ts';
import { runSignals } from '#metrics/run-signals.ts';
import { updateSignal } from '#metrics/update-signal.ts';
import { insertTransformation } from '../../support/rows.ts';
import { openSignalLab, type SignalLab } from '../../support/signals.ts';

let lab: SignalLab;
const never = new AbortController().signal;
const asked = { requestId: 'test', signal: never };

beforeAll(async () => {
  lab = await openSignalLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const run = () => runSignals(lab.deps, never);
const evaluate = (id: string) => evaluateSignal(lab.deps, lab.viewer, { id }, asked);

async function problemsOf(write: Promise<unknown>): Promise<unknown> {
  return write.then(
    () => [],
    (error: { problems?: unknown }) => error.problems,
  );
}

test('the last whole period is what counts, with the one before beside it, in UTC without a schedule', async () => {
  await lab.signUps('2026-11-19', 40);
  await lab.signUps('2026-11-20', 12);
  await lab.signUps('2026-11-21', 1_000);
  const { id } = await lab.signal();
  expect(await lab.read(id)).toMatchObject({ state: 'NO_DATA', found: [] });
  await evaluate(id);
  expect(await lab.read(id)).toMatchObject({
    state: 'TRIGGERED',
    found: [
      {
        state: 'TRIGGERED',
        value: 12,
        previousValue: 40,
        message: 'signups was 12 in the day of 2026-11-20, below 20.',
      },
    ],
  });
});

test('periods are those of the clocks of the schedule', async () => {
  // 10:00 in UTC on the 21st; in Auckland it is 23:00 of the same day, and noon in UTC of the 19th was the 20th there.
  const schedule = { cron: '0 9 * * *', timeZone: 'Pacific/Auckland' };
  const { id } = await lab.signal({ schedule, operator: 'EQ', threshold: 40 });
  await evaluate(id);
  expect((await lab.read(id)).found).toMatchObject([
    {
      state: 'TRIGGERED',
      message: 'signups was 40 in the day of 2026-11-20 (Pacific/Auckland), equal to 40.',
    },
  ]);
});

test('a change is held against the threshold as it is, or in percent', async () => {
  const change = await lab.signal({ measure: 'CHANGE', operator: 'LTE', threshold: -28 });
  const percent = await lab.signal({ measure: 'CHANGE_PERCENT', operator: 'LT', threshold: -80 });
  await evaluate(change.id);
  await evaluate(percent.id);
  expect((await lab.read(change.id)).found).toMatchObject([
    {
      state: 'TRIGGERED',
      message: 'signups changed by -28, from 40 to 12, in the day of 2026-11-20: at most -28.',
    },
  ]);
  expect((await lab.read(percent.id)).found).toMatchObject([
    {
      state: 'OK',
      message: 'signups changed by -70 %, from 40 to 12, in the day of 2026-11-20: not below -80 %.',
    },
  ]);
});

test('what there is no number for is NO_DATA and says why', async () => {
  const { id } = await lab.signal({ measure: 'CHANGE_PERCENT', grain: 'MONTH' });
  await evaluate(id);
  expect((await lab.read(id)).found).toMatchObject([
    {
      state: 'NO_DATA',
      message: expect.stringMatching(/^signups was 0 in the month of 2026-10 and 0 in the period before/),
    },
  ]);
});

test('a metric that cannot be answered is NO_DATA with the reason, once for each time that it is due', async () => {
  const metric = {
    id: newId(),
    projectId: lab.viewer.projectId,
    name: 'broken',
    title: 'Broken',
    kind: 'SIMPLE' as const,
    definition: {
      simple: { table: 'warehouse.warehouse.raw.gone', time: 'made_at', measure: { aggregation: 'COUNT' } },
    },
    createdAt: lab.clock.now,
    updatedAt: lab.clock.now,
  };
  await lab.gql.app.store.db.metric.create({ data: metric });
  const { id } = await lab.signal({ metricId: metric.id, schedule: { cron: '0 * * * *' } });
  await run();
  await run();
  expect((await lab.read(id)).found).toMatchObject([
    { state: 'NO_DATA', message: expect.stringMatching(/^broken could not be answered: .*raw\.gone/) },
  ]);
  lab.pass(60);
  await run();
  await run();
  expect((await lab.read(id)).found.length).toBe(2);
});

test('a signal is evaluated when it is made, and again when it means something else', async () => {
  const { id } = await lab.signal();
  await run();
  expect((await lab.read(id)).found).toMatchObject([{ state: 'TRIGGERED' }]);
  await updateSignal(lab.deps, lab.viewer, { id, name: 'the same by another name' });
  await run();
  expect((await lab.read(id)).found.length).toBe(1);
  await updateSignal(lab.deps, lab.viewer, { id, threshold: 5 });
  await run();
  expect(await lab.read(id)).toMatchObject({ state: 'OK', revision: 3, found: [{}, { state: 'OK' }] });
});

test('a schedule evaluates at its times; those that were missed are made up for by one', async () => {
  lab.clock.now = new Date('2026-11-22T08:30:00Z');
  await lab.signUps('2026-11-21', 30);
  const { id } = await lab.signal({ schedule: { cron: '0 9 * * *', timeZone: 'Europe/Berlin' } });
  await run();
  const times = async () => (await lab.read(id)).found.length;
  expect(await times()).toBe(1);
  expect((await lab.read(id)).nextRunAt).toEqual(new Date('2026-11-23T08:00:00Z'));
  lab.clock.now = new Date('2026-11-23T07:59:59Z');
  await run();
  expect(await times()).toBe(1);
  lab.clock.now = new Date('2026-11-25T20:00:00Z');
  await run();
  await run();
  expect(await times()).toBe(2);
  expect((await lab.read(id)).nextRunAt).toEqual(new Date('2026-11-26T08:00:00Z'));
});

test('whoever evaluates by hand does not take the schedule its time', async () => {
  const { id } = await lab.signal({ schedule: { cron: '0 9 * * *' } });
  const { nextRunAt } = await lab.read(id);
  await evaluate(id);
  expect((await lab.read(id)).nextRunAt).toEqual(nextRunAt);
});

test('a task that writes what the metric reads makes a signal due once it has ended; others do not', async () => {
  const { db } = lab.gql.app.store;
  const { id } = await lab.signal();
  await run();
  const times = async () => (await lab.read(id)).found.length;
  expect(await times()).toBe(1);
  lab.pass(1);
  const taskId = await lab.signUps('2026-11-24', 50, 'RUNNING');
  lab.pass(1);
  await run();
  expect(await times()).toBe(1);
  await db.task.update({ where: { id: taskId }, data: { status: 'SUCCEEDED' } });
  await run();
  await run();
  expect(await times()).toBe(2);
  expect(await lab.read(id)).toMatchObject({ state: 'OK' });
  lab.pass(1);
  await db.catalogTable.create({
    data: {
      id: newId(),
      projectId: lab.viewer.projectId,
      database: 'warehouse',
      schema: 'raw',
      name: 'other',
      datastoreId: (await db.datastore.findFirstOrThrow({ where: { projectId: lab.viewer.projectId } })).id,
      kind: 'TABLE',
      columns: [],
      syncedAt: lab.clock.now,
      createdAt: lab.clock.now,
      updatedAt: lab.clock.now,
    },
  });
  await run();
  expect(await times()).toBe(2);
});

test('an evaluation while a task still runs does not count for what the task writes', async () => {
  const { id } = await lab.signal();
  await run();
  const taskId = await lab.signUps('2026-11-24', 70, 'RUNNING');
  lab.pass(1);
  await evaluate(id);
  await run();
  const times = async () => (await lab.read(id)).found.length;
  expect(await times()).toBe(2);
  await lab.gql.app.store.db.task.update({ where: { id: taskId }, data: { status: 'SUCCEEDED' } });
  await run();
  await run();
  expect(await times()).toBe(3);
});

test('a write of a table behind a view makes the signals of the view due, from when the view was made on', async () => {
  const { db } = lab.gql.app.store;
  const { projectId } = lab.viewer;
  const { warehouse } = await lab.gql.app.catalog.datastores.open(projectId);
  await warehouse.run({ sql: 'CREATE VIEW raw.seen AS SELECT * FROM raw.signups' });
  await lab.gql.ask(lab.viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  const simple = {
    table: 'warehouse.warehouse.raw.seen',
    time: 'made_at',
    measure: { aggregation: 'COUNT' },
  };
  const at = { createdAt: lab.clock.now, updatedAt: lab.clock.now };
  const metric = { id: newId(), projectId, name: 'seen', title: 'Seen', kind: 'SIMPLE' as const };
  await db.metric.create({ data: { ...metric, definition: { simple }, ...at } });
  const { id } = await lab.signal({ metricId: metric.id });
  await run();
  const times = async () => (await lab.read(id)).found.length;
  lab.pass(1);
  await lab.signUps('2026-11-24', 60);
  lab.pass(1);
  await run();
  expect(await times()).toBe(1);

  const signups = await db.catalogTable.findFirstOrThrow({ where: { projectId, name: 'signups' } });
  const seen = await db.catalogTable.findFirstOrThrow({ where: { projectId, name: 'seen' } });
  const made = { name: 'seen', datastoreId: signups.datastoreId, inputIds: [signups.id] };
  const transformationId = await insertTransformation(db, lab.viewer, made);
  const feed = { id: newId(), projectId, tableId: seen.id, transformationId, writtenAt: lab.clock.now };
  await db.tableFeed.create({ data: feed });
  lab.pass(1);
  await run();
  expect(await times()).toBe(2);
  await lab.signUps('2026-11-24', 61);
  await run();
  await run();
  expect(await times()).toBe(3);
});

test('a metric that reads another table from now on makes its signals follow that one', async () => {
  const { db } = lab.gql.app.store;
  const { id } = await lab.signal();
  await run();
  const tables = async () =>
    (await db.signalTable.findMany({ where: { signalId: id } })).map(({ tableId }) => tableId);
  const [signups] = await tables();
  const { warehouse } = await lab.gql.app.catalog.datastores.open(lab.viewer.projectId);
  await warehouse.run({ sql: 'CREATE TABLE IF NOT EXISTS raw.visits (made_at TIMESTAMPTZ)' });
  await lab.gql.ask(lab.viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  const metric = await db.metric.findUniqueOrThrow({ where: { id: lab.metricId } });
  const simple = {
    table: 'warehouse.warehouse.raw.visits',
    time: 'made_at',
    measure: { aggregation: 'COUNT' },
  };
  lab.pass(1);
  await db.metric.update({
    where: { id: metric.id },
    data: { definition: { simple }, updatedAt: lab.clock.now },
  });
  lab.pass(1);
  await run();
  const visits = await db.catalogTable.findFirstOrThrow({ where: { name: 'visits' } });
  expect(await tables()).toEqual([visits.id]);
  lab.pass(1);
  await db.metric.update({
    where: { id: metric.id },
    data: { definition: metric.definition as object, updatedAt: lab.clock.now },
  });
  lab.pass(1);
  await run();
  expect(await tables()).toEqual([signups]);
});

test('of several processes one evaluates a signal, and a claim that its process did not live to keep is taken over', async () => {
  const { db } = lab.gql.app.store;
  const { id } = await lab.signal();
  const counts = await Promise.all([run(), run(), run(), run()]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(1);
  expect((await lab.read(id)).found.length).toBe(1);
  // As a process leaves it that was killed.
  const claimedUntil = new Date(lab.clock.now.getTime() + 300_000);
  await db.signal.update({ where: { id }, data: { evaluatedAt: null, claimedUntil } });
  expect(await run()).toBe(0);
  lab.pass(6);
  expect(await run()).toBe(1);
  expect(await lab.read(id)).toMatchObject({ claimedUntil: null, found: [{}, {}] });
});

test('a process that may not open the datastore leaves its signals to one that may', async () => {
  const { id } = await lab.signal();
  const { app } = lab.gql;
  await using elsewhere = openDatastores({
    db: app.store.db,
    home: app.config.home,
    homeId: app.store.homeId,
    secrets: app.catalog.secrets,
    opensEmbedded: false,
    scanDirectories: [],
    cacheBytesMax: 1_000_000,
  });
  const worker = {
    ...lab.deps,
    log: createLog('silent'),
    catalog: { ...lab.deps.catalog, datastores: elsewhere },
  };
  expect(await runSignals(worker, never)).toBe(0);
  expect(await lab.read(id)).toMatchObject({ claimedUntil: null, found: [] });
  await expect(evaluateSignal(worker, lab.viewer, { id }, asked)).rejects.toMatchObject({
    code: 'WAREHOUSE_UNAVAILABLE',
  });
  expect(await run()).toBe(1);
});

test('what is found is held against the signal as it is, though it was changed while its metric was asked', async () => {
  const { id } = await lab.signal({ operator: 'LT', threshold: 1_000_000, grain: 'YEAR' });
  const { datastores } = lab.deps.catalog;
  let opened = 0;
  const changing: typeof datastores = {
    ...datastores,
    async openRow(row) {
      opened += 1;
      if (opened === 1) await updateSignal(lab.deps, lab.viewer, { id, threshold: -1, grain: 'QUARTER' });
      return datastores.openRow(row);
    },
  };
  const deps = { ...lab.deps, catalog: { ...lab.deps.catalog, datastores: changing } };
  await evaluateSignal(deps, lab.viewer, { id }, asked);
  expect(opened).toBeGreaterThan(0);
  expect((await lab.read(id)).found).toMatchObject([
    { state: 'OK', message: expect.stringMatching(/in quarter 3 of 2026, not below -1\.$/) },
  ]);
});

test('a deleted signal is evaluated no more, and its name is free', async () => {
  const { id } = await lab.signal({ name: 'short-lived' });
  await deleteSignal(lab.deps, lab.viewer, { id });
  expect(await run()).toBe(0);
  await expect(evaluate(id)).rejects.toMatchObject({ problems: [{ code: 'NOT_FOUND' }] });
  await lab.signal({ name: 'short-lived' });
});

test('all problems of a signal are told at once', async () => {
  const input = {
    name: ' ',
    metricId: newId(),
    operator: 'GT' as const,
    threshold: 1,
    grain: 'DAY' as const,
    schedule: { cron: '* *', timeZone: 'Mars' },
    cooldownMinutes: -1,
    webhookUrl: 'http://10.0.0.1/',
  };
  expect(await problemsOf(createSignal(lab.deps, lab.viewer, input))).toMatchObject([
    { code: 'REQUIRED', path: ['name'] },
    { code: 'INVALID', path: ['cooldownMinutes'] },
    { code: 'INVALID', path: ['schedule', 'timeZone'] },
    { code: 'INVALID', path: ['schedule', 'cron'] },
    { code: 'INVALID', path: ['webhookUrl'], message: expect.stringMatching(/not public/) },
    { code: 'NOT_FOUND', path: ['metricId'] },
  ]);
});

test('names are unique, revisions are held to, and an idempotency key makes one signal', async () => {
  const { id } = await lab.signal({ name: 'one of a kind' });
  expect(await problemsOf(lab.signal({ name: 'one of a kind' }))).toMatchObject([{ code: 'NOT_UNIQUE' }]);
  const stale = updateSignal(lab.deps, lab.viewer, { id, threshold: 1, expectedRevision: 7 });
  expect(await problemsOf(stale)).toMatchObject([{ code: 'CONFLICT', path: ['expectedRevision'] }]);
  const once = { name: 'only one', idempotencyKey: 'k1' };
  expect((await lab.signal(once)).id).toBe((await lab.signal(once)).id);
});

test('schedule: null takes the schedule away, and what is left out stays', async () => {
  const { id } = await lab.signal({ schedule: { cron: '0 9 * * *' }, cooldownMinutes: 5 });
  await updateSignal(lab.deps, lab.viewer, { id, threshold: 3 });
  expect(await lab.read(id)).toMatchObject({ cron: '0 9 * * *', cooldownMinutes: 5, threshold: 3 });
  await updateSignal(lab.deps, lab.viewer, { id, schedule: null });
  expect(await lab.read(id)).toMatchObject({ cron: null, nextRunAt: null, cooldownMinutes: 5 });
});
