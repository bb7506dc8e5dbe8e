import { describe, expect, test } from 'vitest';
import { sql, toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';

/** What the suite needs of an engine of a cloud and of the server that stands for it. */
export interface SessionLab {
  /** A datastore of its own; with a url, at another place. */
  open(how?: { url?: string }): Warehouse;
  /** A statement of one row that runs for minutes when nobody stops it. */
  endless: string;
  told(): Promise<{
    /** Statements that ran, in order, and the notes of who asked. */
    texts: string[];
    tags: string[];
    /** How often a token was given or a session opened, and how often one was ended; null where there is nothing to end. */
    opened: number;
    ended: number | null;
    /** Statements that run now. */
    running: number;
  }>;
  /** How the note "req-1 metric: a" arrives. */
  tag: string;
}

const code = (wanted: string, message?: RegExp) =>
  expect.objectContaining({
    code: wanted,
    ...(message && { message: expect.stringMatching(message) as unknown }),
  }) as unknown;
const one = { sql: 'SELECT 1 AS v' };

/** What every engine of a cloud guarantees of who signs in, and of what runs when somebody leaves. */
export function sessionSuite(name: string, lab: () => SessionLab): void {
  /** Until so many statements run at the engine. */
  const running = (count: number, timeout = 15_000) =>
    expect.poll(async () => (await lab().told()).running, { timeout }).toBe(count);

  describe(`a datastore on ${name}`, () => {
    test('that cannot be reached fails by the deadline', async () => {
      await using warehouse = lab().open({ url: 'http://127.0.0.1:1' });
      const startedAt = performance.now();
      await expect(warehouse.run(one, { deadlineMs: 500 })).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
      expect(performance.now() - startedAt).toBeLessThan(3_000);
    });

    test('signs in once for many statements at once, and leaves when it is closed', async () => {
      const before = await lab().told();
      {
        await using warehouse = lab().open();
        await Promise.all(Array.from({ length: 20 }, () => warehouse.run(one)));
      }
      const after = await lab().told();
      expect(after.opened - before.opened).toBe(1);
      expect(after.ended).toBe(before.ended === null ? null : before.ended + 1);
    });

    test('notes who asks, and equal questions are equal texts, however long their lists', async () => {
      await using warehouse = lab().open();
      const from = (await lab().told()).texts.length;
      for (const list of [['a'], ['a', 'b', 'c']]) {
        const rows = warehouse.dialect.listRows(list, 'text');
        const statement = toStatement(sql`SELECT COUNT(*) AS c FROM ${rows} AS l`, warehouse.dialect);
        expect(statement.binds).toHaveLength(1);
        const answer = await warehouse.run(statement, { tag: 'req-1 metric: a' });
        expect(answer.rows).toEqual([[BigInt(list.length)]]);
      }
      const { texts, tags } = await lab().told();
      expect(texts.slice(from)).toHaveLength(2);
      expect(texts[from]).toBe(texts[from + 1]);
      expect(tags.slice(from)).toEqual([lab().tag, lab().tag]);
    });

    test('has its statement stopped that nobody waits for', async () => {
      await using warehouse = lab().open();
      for (const how of ['deadline', 'signal']) {
        const leave = new AbortController();
        const limit = how === 'signal' ? { signal: leave.signal } : { deadlineMs: 1_000 };
        const asked = warehouse.run({ sql: lab().endless }, limit);
        asked.catch(() => undefined);
        await running(1);
        leave.abort();
        await expect(asked).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
        await running(0);
      }
    });

    test('that is closed says why to what runs and to what comes after, at once', async () => {
      for (const [closedFor, said] of [
        [undefined, /closed: the process is stopping/],
        ['its settings were changed', /closed: its settings were changed/],
      ] as const) {
        const warehouse = lab().open();
        await warehouse.run(one);
        const asked = warehouse.run({ sql: lab().endless });
        const streamed = Array.fromAsync(warehouse.stream({ sql: lab().endless }));
        const all = Promise.allSettled([asked, streamed]);
        await running(2);
        if (closedFor !== undefined) warehouse.closedFor = closedFor;
        const startedAt = performance.now();
        const closing = warehouse[Symbol.asyncDispose]();
        const [first, second] = await all;
        const late = await warehouse.run(one).catch((error: unknown) => error);
        expect(performance.now() - startedAt).toBeLessThan(1_000);
        const reasons = [first, second].map((each) => (each as PromiseRejectedResult).reason as unknown);
        expect([...reasons, late]).toEqual(Array(3).fill(code('WAREHOUSE_UNAVAILABLE', said)));
        // Whoever ends the process then leaves nothing that runs, until the deadline that the engine itself was told.
        await closing;
        await running(0, 5_000);
      }
    });
  });
}
