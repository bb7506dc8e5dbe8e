import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { createLog } from '#base/log.ts';
import { newId } from '#base/id.ts';
import { RateLimited } from '#endpoints/rate-state.ts';
import { openRates, type Rates, type TakenCall } from '#endpoints/rates.ts';
import type { Endpoint } from '#endpoints/served.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let viewer: Viewer;
const log = createLog('error');
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
});
afterAll(() => gql[Symbol.asyncDispose]());

async function published(name: string, rateLimit: NonNullable<ReturnType<typeof declared>['rateLimit']>) {
  const { id } = await publish(
    gql,
    viewer,
    declared({ metadata: { name, version: 1 }, route: `/${name}`, rateLimit }),
  );
  const { all } = await gql.app.endpoints.registry.of(viewer.projectId);
  return all.find((endpoint) => endpoint.id === id)!;
}

const caller = () => ({ viewer, address: null });

/** A call whose statement takes so long, by a clock that the test moves. */
function call(rates: Rates, endpoint: Endpoint, pass: (ms: number) => void, ms: number): void {
  const taken = rates.take(endpoint, caller());
  const ended = taken.working!();
  pass(ms);
  ended();
  taken.ended(true);
}

function refusal(work: () => unknown): RateLimited {
  try {
    work();
  } catch (error) {
    if (error instanceof RateLimited) return error;
    throw error;
  }
  throw new Error('It was let through.');
}

test('processes share a budget of cost, also of what still runs, and each begins the next window anew', async () => {
  const endpoint = await published('shared_cost', { cost: '10s', requests: 100, per: '1m' });
  const { store } = gql.app;
  let now = Date.UTC(2026, 5, 1, 12, 30);
  const pass = (ms: number) => {
    now += ms;
  };
  await using one = openRates(store, log, () => now);
  await using other = openRates(store, log, () => now);

  call(one, endpoint, pass, 3_000);
  const state = (rates: Rates) => rates.stateOf(endpoint, caller());
  expect(state(one)).toEqual({
    requests: { limit: 100, remaining: 99 },
    cost: { limit: 10_000, remaining: 7_000 },
    windowSeconds: 60,
    resetSeconds: 57,
  });
  const running = other.take(endpoint, caller());
  const ended = running.working!();
  pass(4_000);
  await one.exchange();
  // Nobody waits for the end of a call to tell of it.
  await other.exchange();
  expect(state(other)).toMatchObject({ requests: { remaining: 98 }, cost: { remaining: 3_000 } });
  call(one, endpoint, pass, 1_000);
  await one.exchange();
  pass(3_000);
  await other.exchange();
  // A process hears when it has something to tell.
  call(one, endpoint, pass, 1);
  await one.exchange();
  const refused = refusal(() => one.take(endpoint, caller()));
  expect(refused.message).toBe("shared_cost takes 10 s of its datastore's time in 60 s: 12 s are used.");
  expect(refused).toMatchObject({ code: 'RATE_LIMITED', fix: 'Try again in 49 s.', retrySeconds: 49 });
  expect(state(one)).toMatchObject({ requests: { remaining: 96 }, cost: { remaining: 0 } });
  // Another caller has a budget of its own.
  expect(() => one.take(endpoint, { viewer: null, address: '10.0.0.1' })).not.toThrow();

  pass(50_000);
  // What runs on is paid for in the window in which it does.
  expect(state(other)).toMatchObject({ requests: { remaining: 100 }, cost: { remaining: 8_999 } });
  ended();
  running.ended(true);
  call(one, endpoint, pass, 10);
  expect(state(one)).toMatchObject({ cost: { remaining: 9_990 } });
});

test('of fifty that begin at once on a new budget ten are let through, and then as many as their mean cost allows', async () => {
  const endpoint = await published('bursts', { cost: '20s', per: '1h' });
  let now = 0;
  await using rates = openRates(gql.app.store, log, () => now);
  const begin = () => {
    const taken: TakenCall[] = [];
    for (let n = 0; n < 50; n += 1) {
      try {
        taken.push(rates.take(endpoint, caller()));
      } catch (error) {
        expect(error).toMatchObject({
          message: expect.stringMatching(/are used, and calls that run hold the rest\.$/),
          // They may end at any moment, and the window in an hour.
          retrySeconds: 1,
        });
      }
    }
    return taken;
  };
  const run = (taken: readonly TakenCall[], ms: number) => {
    const ended = taken.map(({ working }) => working!());
    now += ms;
    for (const each of ended) each();
    for (const each of taken) each.ended(true);
  };
  const first = begin();
  expect(first).toHaveLength(10);
  run(first, 500);
  // 15 s are left of it.
  const second = begin();
  expect(second).toHaveLength(30);
  run(second, 600);
  expect(refusal(() => rates.take(endpoint, caller())).retrySeconds).toBe(3_599);
  now = 3_600_000;
  // Those that are answered with what is kept cost nothing, and hold ever less.
  for (let n = 0; n < 100; n += 1) rates.take(endpoint, caller()).ended(true);
  const kept = begin();
  expect(kept).toHaveLength(50);
  for (const each of kept) each.ended(true);
});

interface Step {
  kind: 'begin' | 'work' | 'rest' | 'end' | 'pass' | 'exchange';
  process: 0 | 1;
  /** Which of the open calls. */
  at: number;
  ms: number;
}

const budget = 2_000;
const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('begin', 'begin', 'work', 'work', 'rest', 'end', 'pass', 'pass', 'exchange'),
    process: fc.constantFrom(0, 1),
    at: fc.nat(1_000),
    ms: fc.integer({ min: 1, max: 700 }),
  }),
  { minLength: 20, maxLength: 150 },
);

/** A call, and what its statements have cost. */
interface ModelCall {
  taken: TakenCall;
  cost: number;
  ended: (() => void) | null;
}

/** A process, and what is known of it without asking it. */
class Model {
  readonly rates: Rates;
  readonly endpoint: Endpoint;
  readonly all: ModelCall[] = [];
  open: ModelCall[] = [];

  constructor(rates: Rates, endpoint: Endpoint) {
    this.rates = rates;
    this.endpoint = endpoint;
  }

  get cost(): number {
    return this.all.reduce((sum, { cost }) => sum + cost, 0);
  }

  /** What it says is used, as far as the budget. */
  get told(): number {
    return budget - this.rates.stateOf(this.endpoint, caller())!.cost!.remaining;
  }

  /** Whether it was let through. Fails as take does otherwise than with RateLimited. */
  begin(): boolean {
    try {
      const each = { taken: this.rates.take(this.endpoint, caller()), cost: 0, ended: null };
      this.all.push(each);
      this.open.push(each);
      return true;
    } catch (error) {
      if (error instanceof RateLimited) return false;
      throw error;
    }
  }

  work(at: number): void {
    const each = this.open[at % Math.max(this.open.length, 1)];
    if (each) each.ended ??= each.taken.working!();
  }

  rest(at: number): void {
    const each = this.open[at % Math.max(this.open.length, 1)];
    each?.ended?.();
    if (each) each.ended = null;
  }

  end(at: number): void {
    this.rest(at);
    const [each] = this.open.splice(at % Math.max(this.open.length, 1), 1);
    each?.taken.ended(true);
  }

  pass(ms: number): void {
    for (const each of this.open) if (each.ended) each.cost += ms;
  }
}

test('whatever runs in whatever order, calls begin while budget is left alone, what is used never shrinks, and processes add it up exactly', async () => {
  const served = await published('property', { cost: `${budget}ms`, per: '1d' });
  const { store } = gql.app;
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      // Each run has windows of its own.
      const endpoint = { ...served, id: newId() };
      let now = Date.UTC(2026, 5, 1);
      await using one = openRates(store, log, () => now);
      await using other = openRates(store, log, () => now);
      const models = [new Model(one, endpoint), new Model(other, endpoint)] as const;
      const seen = [0, 0];
      for (const { kind, process, at, ms } of all) {
        const model = models[process];
        const exchanging = kind === 'exchange' ? model.rates.exchange() : null;
        // It is sent by then, and not yet answered.
        if (exchanging) await new Promise(setImmediate);
        if (kind === 'pass' || kind === 'exchange') {
          now += ms;
          for (const each of models) each.pass(ms);
          expect(model.told).toBeGreaterThanOrEqual(Math.min(model.cost, budget));
          await exchanging;
        } else if (kind !== 'begin') model[kind](at);
        else if (model.begin()) {
          // What is used beyond the budget is thus what the calls that are open now cost from now on, and no more.
          expect(model.cost).toBeLessThan(budget);
        }
        for (const [index, each] of models.entries()) {
          const { told } = each;
          expect(told).toBeGreaterThanOrEqual(Math.min(each.cost, budget));
          expect(told).toBeGreaterThanOrEqual(seen[index]!);
          seen[index] = told;
        }
      }
      for (const model of models) while (model.open.length > 0) model.end(0);
      await Promise.all([one.exchange(), other.exchange()]);
      const rows = await store.db.rateWindow.findMany({ where: { key: { startsWith: endpoint.id } } });
      expect(rows.reduce((sum, { costMs }) => sum + costMs, 0)).toBe(models[0].cost + models[1].cost);
    }),
    { numRuns: 100 },
  );
});
