import { beforeEach, describe, expect, test } from 'vitest';
import { type CacheKey, type Execution, ResultCache } from '#warehouse/result-cache.ts';
import type { Bind } from '#warehouse/warehouse.ts';
import { controlled, instant } from '../../support/executions.ts';

const nobodyLeaves = new AbortController().signal;
let now: number;
let cache: ResultCache;
beforeEach(() => {
  now = 0;
  cache = new ResultCache({ bytesMax: 1_000_000, clock: () => now });
});

function key(sql = 'SELECT 1', binds: readonly Bind[] = [], more: Partial<CacheKey> = {}): CacheKey {
  return { datastoreId: 'here', statement: { sql, binds }, rowsMax: undefined, ...more };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const ask = async (of: { execution: Execution }, as = key()) => {
  const { answer, status } = await cache.ask(as, of.execution, nobodyLeaves);
  return [status, answer.rows[0]![0]];
};

describe('equal questions', () => {
  test('are answered from what is kept', async () => {
    const of = instant();
    expect(await ask(of)).toEqual(['MISS', 1]);
    expect(await ask(of)).toEqual(['HIT', 1]);
  });

  test('that come while one is executed share its execution, 500 at once', async () => {
    const of = controlled();
    const asked = Array.from({ length: 500 }, () => ask(of));
    await settled();
    expect(of.runs).toHaveLength(1);
    of.runs[0]!.end('x');
    const answers = await Promise.all(asked);
    expect(answers.filter(([status]) => status === 'MISS')).toHaveLength(1);
    expect(answers.filter(([status]) => status === 'SHARED')).toHaveLength(499);
  });

  test.each<[string, CacheKey]>([
    ['another text', key('SELECT 2')],
    ['another datastore', key('SELECT 1', [], { datastoreId: 'there' })],
    ['another bound of rows', key('SELECT 1', [], { rowsMax: 7 })],
    ['a bind', key('SELECT 1', [1])],
  ])('are not those with %s', async (_what, other) => {
    const of = instant();
    await ask(of);
    expect(await ask(of, other)).toEqual(['MISS', 2]);
  });

  test('are told apart by the type of every bind, and by where one ends', async () => {
    const of = instant();
    const binds: Bind[][] = [
      [1],
      [1n],
      ['1'],
      [true],
      ['true'],
      [null],
      ['n'],
      [new Date(1)],
      [Buffer.from('1')],
      [[1]],
      [['1']],
      [[1, 2]],
      [[1], [2]],
      [['1","2']],
      [['1', '2']],
      ['1\0"2"'],
      ['1', '2'],
      [0],
      [-0],
      [[]],
    ];
    for (const each of binds) await ask(of, key('SELECT ?', each));
    expect(of.count).toBe(binds.length);
    for (const each of binds) await ask(of, key('SELECT ?', each));
    expect(of.count).toBe(binds.length);
  });

  test('of any length are told apart', async () => {
    const of = instant();
    const many = Array.from({ length: 5_000 }, (_, at) => `user-${at}`);
    await ask(of, key('SELECT ?', [many]));
    expect(await ask(of, key('SELECT ?', [[...many]]))).toEqual(['HIT', 1]);
    expect(await ask(of, key('SELECT ?', [[...many, 'one more']]))).toEqual(['MISS', 2]);
  });
});

describe('a write', () => {
  test('drops exactly the answers that read the table', async () => {
    const orders = instant({ tags: ['orders'] });
    const users = instant({ tags: ['users'] });
    const both = instant({ tags: ['users', 'orders'] });
    const all = [
      [orders, key('o')],
      [users, key('u')],
      [both, key('b')],
    ] as const;
    for (const [of, as] of all) await ask(of, as);
    cache.drop(['orders']);
    const statuses: unknown[] = [];
    for (const [of, as] of all) statuses.push((await ask(of, as))[0]);
    expect(statuses).toEqual(['MISS', 'HIT', 'MISS']);
  });

  test('while an answer is executed makes it of no use to those who ask after it', async () => {
    const before = controlled();
    const first = ask(before);
    await settled();
    cache.drop(['orders']);
    const after = controlled();
    const second = ask(after);
    await settled();
    expect(after.runs).toHaveLength(1);
    before.runs[0]!.end('old');
    expect(await first).toEqual(['MISS', 'old']);
    const third = ask(before);
    after.runs[0]!.end('new');
    expect(await third).toEqual(['SHARED', 'new']);
    expect(await second).toEqual(['MISS', 'new']);
    expect(await ask(instant())).toEqual(['HIT', 'new']);
  });

  test('of another table lets an execution go on for all', async () => {
    const of = controlled();
    const first = ask(of);
    await settled();
    cache.drop(['users']);
    const second = ask(of);
    await settled();
    of.runs[0]!.end('x');
    expect([await first, await second]).toEqual([
      ['MISS', 'x'],
      ['SHARED', 'x'],
    ]);
    expect(await ask(of)).toEqual(['HIT', 'x']);
  });

  test('that comes before the tables of an answer are known counts too', async () => {
    const of = controlled();
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow: Execution = {
      ...of.execution,
      policy: async () => {
        await promise;
        return { tags: ['orders'], maxAgeMs: null, staleMs: 0 };
      },
    };
    const first = ask({ execution: slow });
    cache.drop(['orders']);
    resolve();
    await settled();
    of.runs[0]!.end('old');
    await first;
    expect((await ask(instant()))[0]).toBe('MISS');
  });

  test('that may have been missed drops everything', async () => {
    const kept = instant();
    await ask(kept);
    const going = controlled({ tags: ['users'] });
    const first = ask(going, key('going'));
    await settled();
    cache.clear();
    expect((await ask(kept))[0]).toBe('MISS');
    going.runs[0]!.end('old');
    await first;
    expect((await ask(instant(), key('going')))[0]).toBe('MISS');
  });
});

describe('those who leave', () => {
  const asksAs = (of: { execution: Execution }, signal: AbortSignal) =>
    cache.ask(key(), of.execution, signal).then(
      ({ status }) => status,
      (error: unknown) => (error as { code: string }).code,
    );

  test('stop an execution only when all have left', async () => {
    const of = controlled();
    const clients = [new AbortController(), new AbortController(), new AbortController()];
    const asked = clients.map((client) => asksAs(of, client.signal));
    await settled();
    clients[0]!.abort();
    clients[2]!.abort();
    expect(await asked[0]).toBe('WAREHOUSE_TIMEOUT');
    expect(of.runs[0]!.signal.aborted).toBe(false);
    clients[1]!.abort();
    expect(await asked[1]).toBe('WAREHOUSE_TIMEOUT');
    expect(of.runs[0]!.signal.aborted).toBe(true);
  });

  test('leave the answer to those who stay', async () => {
    const of = controlled();
    const client = new AbortController();
    const left = asksAs(of, client.signal);
    const stays = ask(of);
    await settled();
    client.abort();
    of.runs[0]!.end('x');
    expect(await left).toBe('WAREHOUSE_TIMEOUT');
    expect(await stays).toEqual(['SHARED', 'x']);
  });

  test('do not take those with them who ask in the next moment', async () => {
    const of = controlled();
    const client = new AbortController();
    const left = asksAs(of, client.signal);
    await settled();
    client.abort();
    const next = ask(of);
    await settled();
    of.runs[1]!.end('x');
    expect(await next).toEqual(['MISS', 'x']);
    expect(await left).toBe('WAREHOUSE_TIMEOUT');
  });

  test('before they asked start nothing', async () => {
    const of = controlled();
    expect(await asksAs(of, AbortSignal.abort())).toBe('WAREHOUSE_TIMEOUT');
    await settled();
    expect(of.runs).toHaveLength(0);
  });
});

describe('an answer', () => {
  test('is not kept when it failed, and all who share it are told', async () => {
    const of = controlled();
    const asked = [ask(of), ask(of)];
    await settled();
    of.runs[0]!.fail(new Error('no'));
    expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await ask(instant())).toEqual(['MISS', 1]);
  });

  test('that says of no table is not kept: nothing would ever drop it', async () => {
    const of = instant({ tags: [] });
    await ask(of);
    expect(await ask(of)).toEqual(['MISS', 2]);
  });

  test('is kept no longer than its datastore allows', async () => {
    const of = instant({ maxAgeMs: 1_000 });
    await ask(of);
    now = 999;
    expect(await ask(of)).toEqual(['HIT', 1]);
    now = 1_000;
    expect(await ask(of)).toEqual(['MISS', 2]);
  });

  test('without a limit is kept for ever', async () => {
    const of = instant();
    await ask(of);
    now = 1e12;
    expect(await ask(of)).toEqual(['HIT', 1]);
  });

  test('that is too old is served while one execution renews it, where that is allowed', async () => {
    const of = controlled({ maxAgeMs: 1_000, staleMs: 500 });
    const first = ask(of);
    await settled();
    of.runs[0]!.end('old');
    await first;
    now = 1_200;
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(of)))).toEqual(
      Array.from({ length: 20 }, () => ['STALE', 'old']),
    );
    await settled();
    expect(of.runs).toHaveLength(2);
    of.runs[1]!.end('new');
    await settled();
    expect(await ask(of)).toEqual(['HIT', 'new']);
  });

  test('goes on to be renewed when all have left who came to wait for it', async () => {
    const of = controlled({ maxAgeMs: 1_000, staleMs: 500 });
    const first = ask(of);
    await settled();
    of.runs[0]!.end('old');
    await first;
    now = 1_200;
    await ask(of);
    now = 1_600;
    const client = new AbortController();
    const left = cache.ask(key(), of.execution, client.signal);
    await settled();
    client.abort();
    await expect(left).rejects.toMatchObject({ code: 'WAREHOUSE_TIMEOUT' });
    expect(of.runs[1]!.signal.aborted).toBe(false);
    of.runs[1]!.end('new');
    await settled();
    expect(await ask(of)).toEqual(['HIT', 'new']);
  });

  test('is as old as its execution is, however long that took', async () => {
    const of = controlled({ maxAgeMs: 1_000 });
    const first = ask(of);
    await settled();
    now = 900;
    of.runs[0]!.end('x');
    await first;
    now = 1_000;
    expect((await ask(instant()))[0]).toBe('MISS');
  });

  test('that is too old even for that is waited for', async () => {
    const of = instant({ maxAgeMs: 1_000, staleMs: 500 });
    await ask(of);
    now = 1_500;
    expect(await ask(of)).toEqual(['MISS', 2]);
  });

  test('that could not be renewed goes on to be served, and the failure is told to nobody who asked', async () => {
    const of = controlled({ maxAgeMs: 1_000, staleMs: 500 });
    const first = ask(of);
    await settled();
    of.runs[0]!.end('old');
    await first;
    now = 1_200;
    await ask(of);
    await settled();
    of.runs[1]!.fail(new Error('no'));
    await settled();
    expect(of.failures).toEqual([new Error('no')]);
    expect(await ask(of)).toEqual(['STALE', 'old']);
    await settled();
    expect(of.runs).toHaveLength(3);
  });

  test('is not served once its table was written, however little of its time is over', async () => {
    const of = instant({ maxAgeMs: 1_000, staleMs: 500 });
    await ask(of);
    now = 1_200;
    cache.drop(['orders']);
    expect(await ask(of)).toEqual(['MISS', 2]);
  });

  test('makes room for others: those that were not asked for the longest go first', async () => {
    const of = instant({ bytes: 150_000 });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await ask(of, key(name));
    await ask(of, key('a'));
    await ask(of, key('g'));
    const kept: string[] = [];
    for (const name of ['g', 'a', 'f', 'e']) if ((await ask(of, key(name)))[0] === 'HIT') kept.push(name);
    expect(kept).toEqual(['g', 'a', 'f', 'e']);
    expect((await ask(of, key('b')))[0]).toBe('MISS');
  });

  test('that would take more than its share is not kept, and pushes nothing out', async () => {
    const small = instant();
    await ask(small, key('small'));
    const large = instant({ bytes: 300_000 });
    await ask(large, key('large'));
    expect((await ask(large, key('large')))[0]).toBe('MISS');
    expect((await ask(small, key('small')))[0]).toBe('HIT');
  });

  test('is not kept without room, and equal questions share their execution all the same', async () => {
    cache = new ResultCache({ bytesMax: 0 });
    const of = instant();
    expect(await Promise.all([ask(of), ask(of)])).toEqual([
      ['MISS', 1],
      ['SHARED', 1],
    ]);
    expect(await ask(of)).toEqual(['MISS', 2]);
  });
});
