import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ConnectorError,
  type Json,
  type OpenPart,
  type SourceConnector,
  type SourceSession,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import { type Mover, selectionOf } from '../support/move-stream.ts';

/** A source that offers one stream `numbers` of a whole number `id` and a text `name`, `rowsMin` rows or more. */
export interface SourceLab extends AsyncDisposable {
  connector: SourceConnector<never>;
  config: unknown;
  mover: Mover;
  namespace: string | null;
  /** Null where INCREMENTAL needs none. */
  cursorField: string | null;
  /** All ids there are, in order. */
  ids: bigint[];
  /** Adds rows behind those that are there, and returns their ids. */
  grow(): Promise<bigint[]>;
}

const never = new AbortController().signal;

/** What tells two collections of ids apart, without comparing them one by one. */
function summary(ids: readonly bigint[]): { count: number; distinct: number; sum: bigint } {
  return { count: ids.length, distinct: new Set(ids).size, sum: ids.reduce((sum, id) => sum + id, 0n) };
}

/** What every source guarantees. */
export function sourceSuite(name: string, openLab: () => Promise<SourceLab>): void {
  describe(`the source ${name}`, () => {
    let lab: SourceLab;
    let session: SourceSession;
    beforeEach(async () => {
      lab = await openLab();
      session = await lab.connector.open(lab.config as never, lab.mover.context());
    });
    afterEach(async () => {
      await session[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    });

    const plan = (
      more: Partial<StreamSelection> = {},
      from: { state?: Json | null; resume?: Json | null; asText?: string[] } = {},
    ): Promise<StreamPlan> =>
      session.plan(selectionOf('numbers', { namespace: lab.namespace, ...more }), {
        state: null,
        resume: null,
        asText: [],
        ...from,
      });
    const incremental = () => ({ syncMode: 'INCREMENTAL', cursorField: lab.cursorField }) as const;
    const idsOf = async (of: StreamPlan): Promise<bigint[]> => {
      const ids: bigint[] = [];
      for (const part of of.parts) {
        await using open = await part.open(never);
        for (const id of await scanned(open)) ids.push(id);
      }
      return ids;
    };
    const scanned = async (open: OpenPart): Promise<bigint[]> => {
      const rows = await lab.mover.rows(`SELECT CAST(id AS BIGINT) FROM (${open.scan})`);
      await open.finished;
      return rows.flat() as bigint[];
    };

    test('offers what discover says it offers', async () => {
      const streams = await lab.connector.discover(lab.config as never, lab.mover.context());
      const numbers = streams.find((stream) => stream.name === 'numbers')!;
      expect(numbers.namespace).toBe(lab.namespace);
      expect(numbers.columns.map((column) => column.name)).toEqual(['id', 'name']);
      await using planned = await plan();
      // What statistics say of the values is the plan's alone: discovery names what does not change by the hour.
      const columns = planned.columns.map(({ nearlyUnique: _, ...column }) => column);
      expect(columns).toEqual(numbers.columns);
      if (lab.cursorField !== null) expect(numbers.cursorFields).toContain(lab.cursorField);
    });

    test('check says what it reached', async () => {
      const result = await lab.connector.check(lab.config as never, lab.mover.context());
      expect(result).toMatchObject({ ok: true, problems: [] });
      expect(result.message).not.toBe('');
    });

    test('its parts together give each row once', async () => {
      await using planned = await plan();
      expect(summary(await idsOf(planned))).toEqual(summary(lab.ids));
      expect(new Set(planned.parts.map((part) => part.id)).size).toBe(planned.parts.length);
    });

    test('a part can be opened again after an attempt that failed', async () => {
      await using planned = await plan();
      const [part] = planned.parts;
      {
        await using open = await part!.open(never);
        await expect(lab.mover.rows(`SELECT error(id::VARCHAR) FROM (${open.scan})`)).rejects.toThrow();
      }
      await using again = await part!.open(never);
      expect((await scanned(again)).length).toBeGreaterThan(0);
      expect(again.bytesRead()).toBeGreaterThan(0);
    });

    test('only the selected columns arrive, in the order of the stream', async () => {
      await using planned = await plan({ selectedColumns: ['name'] });
      expect(planned.columns.map((column) => column.name)).toEqual(['name']);
      await using open = await planned.parts[0]!.open(never);
      const rows = await lab.mover.rows(`SELECT * FROM (${open.scan})`);
      expect(rows.length).toBeGreaterThan(0);
      expect(rows[0]).toHaveLength(1);
    });

    test('a column that must travel as text does, with the reason', async () => {
      await using planned = await plan({}, { asText: ['id'] });
      expect(planned.columns[0]).toMatchObject({ type: { kind: 'text' }, asTextBecause: expect.any(String) });
      expect(summary(await idsOf(planned))).toEqual(summary(lab.ids));
    });

    test('a stream or column that is gone fails with what to do', async () => {
      const gone = session.plan(selectionOf('nothing', { namespace: lab.namespace }), {
        state: null,
        resume: null,
        asText: [],
      });
      await expect(gone).rejects.toSatisfy(
        (error) => error instanceof ConnectorError && error.fix !== undefined,
      );
      await expect(plan({ selectedColumns: ['id', 'nothing'] })).rejects.toMatchObject({ kind: 'SCHEMA' });
    });

    test('INCREMENTAL takes what came since, and tells the ties it takes again', async () => {
      let state: Json | null;
      {
        await using first = await plan(incremental());
        expect(summary(await idsOf(first))).toEqual(summary(lab.ids));
        expect(first.ties).toBeNull();
        state = first.nextState;
      }
      const added = await lab.grow();
      await using second = await plan(incremental(), { state });
      const taken = await idsOf(second);
      const repeated = taken.filter((id) => !added.includes(id));
      expect(taken.filter((id) => added.includes(id))).toEqual(added);
      if (second.ties === null) expect(repeated).toEqual([]);
      else expect(repeated).toEqual([lab.ids.at(-1)]);
    });

    test('a plan that can be resumed has the same parts the second time', async () => {
      await using first = await plan(incremental());
      if (first.resume === null) return;
      await lab.grow();
      await using second = await plan(incremental(), {
        resume: JSON.parse(JSON.stringify(first.resume)) as Json,
      });
      expect(second.parts.map((part) => part.id)).toEqual(first.parts.map((part) => part.id));
      expect(second.nextState).toEqual(first.nextState);
    });

    test('a cancel ends a scan that is under way within two seconds', async () => {
      await using planned = await plan();
      const stop = new AbortController();
      const open = await planned.parts[0]!.open(stop.signal);
      // The scan itself is slow, so that it is under way when the cancel comes.
      const slow = `SELECT count(*) FROM (${open.scan}) a, range(100000000) b WHERE hash(a.id + b.range) = 0`;
      await using duckDb = await lab.mover.warehouse.session();
      const scan = duckDb.interruptible(stop.signal, () => duckDb.rows(slow));
      scan.catch(() => undefined);
      setTimeout(() => stop.abort(new Error('canceled')), 100);
      const startedAt = performance.now();
      await Promise.allSettled([scan]);
      await open[Symbol.asyncDispose]();
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    });

    test('a part that nobody scans is closed at once, and leaves no pipe behind', async () => {
      {
        await using planned = await plan();
        const open = await planned.parts[0]!.open(never);
        const startedAt = performance.now();
        await open[Symbol.asyncDispose]();
        expect(performance.now() - startedAt).toBeLessThan(1_000);
      }
      expect(await readdir(lab.mover.pipesDir)).toEqual([]);
    });

    test('a cancel while planning is a cancel', async () => {
      const stop = new AbortController();
      stop.abort(new Error('canceled'));
      const opening = lab.connector
        .open(lab.config as never, lab.mover.context(stop.signal))
        .then(async (other) => {
          await using held = other;
          return await held.plan(selectionOf('numbers', { namespace: lab.namespace }), {
            state: null,
            resume: null,
            asText: [],
          });
        });
      await expect(opening).rejects.toThrow('canceled');
    });
  });
}
