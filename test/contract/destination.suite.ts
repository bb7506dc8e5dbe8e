import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ConnectorContext,
  ConnectorError,
  type DestinationConnector,
  type DestinationSession,
  type StreamPlan,
  type StreamSelection,
  type StreamWriter,
  type WriteOrigin,
} from '#connectors/contract.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';

/** One destination with nothing in it, and eyes to look into it with. */
export interface DestinationLab extends AsyncDisposable {
  connector: DestinationConnector<never>;
  config: unknown;
  context: ConnectorContext;
  /** The rows of a table as its readers see it, ordered by all columns; null when there is none. */
  read(table: string): Promise<unknown[][] | null>;
  /** It refuses streams whose removed rows are to be mirrored. */
  takesNoRemovals?: true;
  /** Whether integers of all lengths are one type there, which `read` gives as numbers. */
  oneInteger?: boolean;
  /** Names of whatever lies staged and unpublished. */
  staged(): Promise<string[]>;
}

/** What every destination guarantees. */
export function destinationSuite(name: string, openLab: () => Promise<DestinationLab>): void {
  describe(`the destination ${name}`, () => {
    let lab: DestinationLab;
    let session: DestinationSession;
    beforeEach(async () => {
      lab = await openLab();
      session = await lab.connector.open(lab.config as never, lab.context);
    });
    afterEach(async () => {
      await session[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    });

    /** Writes one stream of the given scans, as one task. */
    const write = async (
      columns: Record<string, string>,
      scans: string[],
      options: { more?: Partial<StreamSelection>; origin?: WriteOrigin; ties?: StreamPlan['ties'] } = {},
    ) => {
      const selection = selectionOf('orders', options.more);
      await using writer = await session.stream(options.origin ?? originOf(jobId), selection);
      const { changes: lines } = await writer.begin(columnsOf(columns), false);
      await Promise.all(
        scans.map((scan, at) => writer.stage(partOf(scan), `part ${at}`, never, () => undefined)),
      );
      return { ...(await writer.publish({ at: scans.length }, options.ties ?? null)), lines };
    };
    const jobId = originOf().jobId;
    const writerOf = (origin: WriteOrigin, more: Partial<StreamSelection> = {}): Promise<StreamWriter> =>
      session.stream(origin, selectionOf('orders', more));
    const two = { id: 'INTEGER', v: 'VARCHAR' };

    describe('OVERWRITE', () => {
      test('readers see the old table until the new one is whole', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        await using writer = await writerOf(originOf(jobId));
        await writer.begin(columnsOf(two), false);
        await writer.stage(partOf("SELECT 2 AS id, 'b' AS v"), 'p', never, () => undefined);
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
        await writer.publish(null, null);
        expect(await lab.read('orders')).toEqual([[2, 'b']]);
      });

      test('parts staged at once are all there, each row once', async () => {
        const parts = [0, 1, 2, 3].map(
          (at) =>
            `SELECT CAST(range AS INTEGER) AS id, 'v' AS v FROM range(${at * 1000}, ${at * 1000 + 1000})`,
        );
        expect((await write(two, parts)).rowsWritten).toBe(4000n);
        const rows = (await lab.read('orders'))!;
        expect(rows.map(([id]) => id)).toEqual(Array.from({ length: 4000 }, (_, at) => at));
      });

      test('without any part leaves a table with columns and no rows', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        expect((await write(two, [])).rowsWritten).toBe(0n);
        expect(await lab.read('orders')).toEqual([]);
      });
    });

    describe('APPEND', () => {
      const append = { more: { writeMode: 'APPEND' } } as const;

      test('adds rows to those already there', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"], append);
        await write(two, ["SELECT 1 AS id, 'a' AS v"], append);
        expect(await lab.read('orders')).toEqual([
          [1, 'a'],
          [1, 'a'],
        ]);
      });

      test('of rows with the last cursor value, as many as are there already are dropped', async () => {
        await write(two, ["SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b'), (2, 'c')) t (id, v)"], append);
        const ties = { column: 'id', value: '2' };
        const again =
          "SELECT * FROM (VALUES (2, 'b'), (2, 'b'), (2, 'b'), (2, 'c'), (2, 'd'), (3, 'c')) t (id, v)";
        expect((await write(two, [again], { ...append, ties })).rowsWritten).toBe(3n);
        const expected = [1, 'a', 2, 'b', 2, 'b', 2, 'b', 2, 'c', 2, 'd', 3, 'c'];
        expect((await lab.read('orders'))!.flat()).toEqual(expected);
      });
    });

    describe('UPSERT', () => {
      const upsert: { more: Partial<StreamSelection> } = {
        more: { writeMode: 'UPSERT', primaryKey: ['id'] },
      };

      test('replaces rows of the same key and adds the others', async () => {
        await write(two, ["SELECT * FROM (VALUES (1, 'a'), (2, 'b')) t (id, v)"], upsert);
        await write(two, ["SELECT * FROM (VALUES (2, 'B'), (3, 'c')) t (id, v)"], upsert);
        expect((await lab.read('orders'))!.flat()).toEqual([1, 'a', 2, 'B', 3, 'c']);
      });

      test('of several versions of a key the one with the highest cursor wins', async () => {
        const more = { ...upsert.more, cursorField: 'seq', syncMode: 'INCREMENTAL' as const };
        const versions = "SELECT * FROM (VALUES (1, 'new', 9), (1, 'old', 3), (2, 'x', NULL)) t (id, v, seq)";
        await write({ ...two, seq: 'INTEGER' }, [versions, "SELECT 1 AS id, 'older' AS v, 1 AS seq"], {
          more,
        });
        expect((await lab.read('orders'))!.flat()).toEqual([1, 'new', 9, 2, 'x', null]);
      });

      test('a NULL in the key fails with SCHEMA and leaves the table as it was', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"], upsert);
        const failing = write(two, ["SELECT NULL::INTEGER AS id, 'b' AS v UNION ALL SELECT 2, 'c'"], upsert);
        await expect(failing).rejects.toMatchObject({ kind: 'SCHEMA' });
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });
    });

    describe('rows that are marked as removed', () => {
      const upsert: Partial<StreamSelection> = { writeMode: 'UPSERT', primaryKey: ['id'] };
      const marked = [
        ...columnsOf(two),
        { ...columnsOf({ _gone: 'BOOLEAN' })[0]!, marksRemoved: true as const },
      ];
      const mirror = async (scan: string, selection: Partial<StreamSelection> = upsert) => {
        await using writer = await writerOf(originOf(jobId), selection);
        await writer.begin(marked, false);
        await writer.stage(partOf(scan), 'p', never, () => undefined);
        return (await writer.publish(null, null)).rowsWritten;
      };
      const changes = (...rows: string[]) =>
        `SELECT CAST(id AS INTEGER) AS id, CAST(v AS VARCHAR) AS v, _gone FROM (VALUES ${rows.join(', ')}) t (id, v, _gone)`;

      test('go from the table by their key, in one step with those that come, and the mark never gets there', async () => {
        if (lab.takesNoRemovals) {
          await expect(mirror(changes("(1, 'a', false)"))).rejects.toMatchObject({ kind: 'CONFIG' });
          return;
        }
        expect(await mirror(changes("(1, 'a', false)", '(9, NULL, true)'))).toBe(2n);
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
        await mirror(changes("(1, 'b', false)", "(1, 'c', false)"), { ...upsert, destinationTable: 'new' });
        expect((await lab.read('new'))!.map(([id]) => id)).toEqual([1]);
        const many = Array.from({ length: 40 }, (_, at) => `(${at + 10}, 'v', false)`);
        await mirror(changes(...many));
        expect(await lab.read('orders')).toHaveLength(41);
        // Few of a large table, and then most of it.
        expect(await mirror(changes('(1, NULL, true)', "(2, 'b', false)", '(77, NULL, true)'))).toBe(3n);
        expect((await lab.read('orders'))!.slice(0, 2)).toEqual([
          [2, 'b'],
          [10, 'v'],
        ]);
        const gone = Array.from({ length: 40 }, (_, at) => `(${at + 10}, NULL, true)`);
        await mirror(changes(...gone, "(3, 'c', NULL)"));
        expect(await lab.read('orders')).toEqual([
          [2, 'b'],
          [3, 'c'],
        ]);
        await write(two, ["SELECT 4 AS id, 'd' AS v"], { more: upsert });
        expect((await lab.read('orders'))!.flat()).toEqual([2, 'b', 3, 'c', 4, 'd']);
      });

      test('staged before a crash are found by the next attempt', async () => {
        if (lab.takesNoRemovals) return;
        await mirror(changes("(1, 'a', false)", "(2, 'b', false)"));
        const origin = originOf(jobId);
        const first = await writerOf(origin, upsert);
        await first.begin(marked, false);
        await first.stage(partOf(changes('(1, NULL, true)')), 'one', never, () => undefined);
        await using second = await writerOf(origin, upsert);
        expect(second.staged).toHaveLength(1);
        await second.begin(marked, true);
        await second.stage(partOf(changes("(3, 'c', false)")), 'two', never, () => undefined);
        await second.publish(null, null);
        expect((await lab.read('orders'))!.flat()).toEqual([2, 'b', 3, 'c']);
      });

      test.each(['APPEND', 'OVERWRITE'] as const)('are refused by %s with CONFIG', async (writeMode) => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        await expect(mirror(changes('(1, NULL, true)'), { writeMode })).rejects.toMatchObject({
          kind: 'CONFIG',
        });
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });
    });

    describe('a changed source', () => {
      test('a new column is NULL in old rows, a vanished one in new rows, a wider type widens', async () => {
        const append = { more: { writeMode: 'APPEND' } } as const;
        await write({ id: 'INTEGER', gone: 'VARCHAR' }, ["SELECT 1 AS id, 'g' AS gone"], append);
        const { lines } = await write(
          { id: 'BIGINT', fresh: 'DATE' },
          ["SELECT 5000000000 AS id, DATE '2026-01-02' AS fresh"],
          append,
        );
        const isWidened = !lab.oneInteger;
        expect(lines.length).toBeGreaterThan(isWidened ? 1 : 0);
        expect(await lab.read('orders')).toEqual([
          [isWidened ? 1n : 1, 'g', null],
          [isWidened ? 5_000_000_000n : 5_000_000_000, null, '2026-01-02'],
        ]);
      });

      test('any other change fails with SCHEMA before anything is touched', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        await using writer = await writerOf(originOf(jobId));
        await expect(writer.begin(columnsOf({ id: 'DATE', v: 'VARCHAR' }), false)).rejects.toMatchObject({
          kind: 'SCHEMA',
          fix: expect.any(String),
        });
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });

      test('two columns that differ only in case fail with SCHEMA', async () => {
        const failing = write({ Id: 'INTEGER', id: 'INTEGER' }, []);
        await expect(failing).rejects.toMatchObject({ kind: 'SCHEMA' });
      });
    });

    describe('exactly once', () => {
      const more = { writeMode: 'APPEND' } as const;

      test('parts staged before a crash are found by the next attempt and not written again', async () => {
        const origin = originOf(jobId);
        const first = await writerOf(origin, more);
        await first.begin(columnsOf(two), false);
        await first.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'one', never, () => undefined);

        await using second = await writerOf(origin, more);
        expect(second.staged).toEqual([{ partId: 'one', rows: 1n, bytes: 7n }]);
        await second.begin(columnsOf(two), true);
        await second.stage(partOf("SELECT 2 AS id, 'b' AS v"), 'two', never, () => undefined);
        expect((await second.publish(null, null)).rowsWritten).toBe(2n);
        expect((await lab.read('orders'))!.flat()).toEqual([1, 'a', 2, 'b']);
        expect(await lab.staged()).toEqual([]);
      });

      test('parts that are not to be kept are dropped', async () => {
        const origin = originOf(jobId);
        const first = await writerOf(origin, more);
        await first.begin(columnsOf(two), false);
        await first.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'one', never, () => undefined);
        await using second = await writerOf(origin, more);
        await second.begin(columnsOf(two), false);
        expect(second.staged).toEqual([]);
        expect((await second.publish(null, null)).rowsWritten).toBe(0n);
      });

      test('an attempt that comes back when another has begun anew mixes nothing with what that has staged', async () => {
        const origin = originOf(jobId);
        await using late = await writerOf(origin, more);
        await late.begin(columnsOf(two), false);
        await late.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'one', never, () => undefined);
        await using next = await writerOf(origin, more);
        await next.begin(columnsOf(two), false);
        await next.stage(partOf("SELECT 2 AS id, 'b' AS v"), 'two', never, () => undefined);
        const staging = late.stage(partOf("SELECT 3 AS id, 'c' AS v"), 'three', never, () => undefined);
        const refused: unknown[] = [];
        await staging.catch((error: unknown) => refused.push(error));
        await late.publish(null, null).catch((error: unknown) => refused.push(error));
        for (const error of refused) expect(error).toBeInstanceOf(ConnectorError);
        await next.stage(partOf("SELECT 4 AS id, 'd' AS v"), 'four', never, () => undefined);
        expect(await next.publish(null, null)).toMatchObject({ rowsWritten: 2n });
        const rows = (await lab.read('orders'))!.toSorted(([a], [b]) => Number(a) - Number(b));
        expect(rows).toEqual([
          [2, 'b'],
          [4, 'd'],
        ]);
        expect(await lab.staged()).toEqual([]);
      });

      test('a publish that this task has done already is recognised and not done again', async () => {
        const origin = originOf(jobId);
        const publish = async () => {
          await using writer = await writerOf(origin, more);
          if (writer.published?.taskId === origin.taskId) return writer.published;
          await writer.begin(columnsOf(two), false);
          await writer.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'one', never, () => undefined);
          await writer.publish({ cursor: '7' }, null);
          return null;
        };
        expect(await publish()).toBeNull();
        expect(await publish()).toEqual({ taskId: origin.taskId, state: { cursor: '7' }, rowsWritten: 1n });
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });

      test('a publish is known of for its own table alone: of another it says that it is not there', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        const { published } = await writerOf(originOf(jobId));
        expect(published).not.toHaveProperty('isGone');
        const other = await writerOf(originOf(jobId), { destinationTable: 'others' });
        expect(other.published === null || other.published.isGone).toBe(true);
      });

      test('the next task of the job finds the state, another job does not', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        expect((await writerOf(originOf(jobId))).published).toMatchObject({
          state: { at: 1 },
          rowsWritten: 1n,
        });
        await using other = await session.stream(
          originOf(),
          selectionOf('orders', { destinationTable: 'others' }),
        );
        expect(other.published).toBeNull();
      });
    });

    describe('what goes wrong', () => {
      test('a part whose source breaks off is not staged, whatever bytes came before', async () => {
        await using writer = await writerOf(originOf(jobId));
        await writer.begin(columnsOf(two), false);
        const lost = new ConnectorError('TRANSIENT', 'The connection was lost.');
        const failing = writer.stage(
          partOf("SELECT 1 AS id, 'a' AS v", { fails: lost }),
          'p',
          never,
          () => undefined,
        );
        await expect(failing).rejects.toBe(lost);
        expect((await writer.publish(null, null)).rowsWritten).toBe(0n);
      });

      test('a scan that fails leaves nothing of its part, and others go on', async () => {
        await using writer = await writerOf(originOf(jobId));
        await writer.begin(columnsOf(two), false);
        const broken =
          "SELECT CASE WHEN range < 300000 THEN CAST(range AS INTEGER) ELSE error('broken') END AS id, 'a' AS v FROM range(400000)";
        await expect(writer.stage(partOf(broken), 'p', never, () => undefined)).rejects.toThrow();
        await writer.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'q', never, () => undefined);
        expect((await writer.publish(null, null)).rowsWritten).toBe(1n);
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });

      test('a cancel stops a stage within two seconds, and abandon leaves nothing behind', async () => {
        await write(two, ["SELECT 1 AS id, 'a' AS v"]);
        await using writer = await writerOf(originOf(jobId));
        await writer.begin(columnsOf(two), false);
        const stop = new AbortController();
        const endless =
          'SELECT CAST(range % 1000 AS INTEGER) AS id, md5(range::VARCHAR) AS v FROM range(100000000000)';
        const staging = writer.stage(partOf(endless), 'p', stop.signal, () => undefined);
        staging.catch(() => undefined);
        await delay(200);
        const startedAt = performance.now();
        stop.abort(new Error('canceled'));
        await expect(staging).rejects.toThrow('canceled');
        expect(performance.now() - startedAt).toBeLessThan(2_000);
        await writer.abandon();
        expect(await lab.staged()).toEqual([]);
        expect(await lab.read('orders')).toEqual([[1, 'a']]);
      });

      test('what a dead task has staged is removed when its job writes again', async () => {
        const dead = await writerOf(originOf(jobId));
        await dead.begin(columnsOf(two), false);
        await dead.stage(partOf("SELECT 1 AS id, 'a' AS v"), 'one', never, () => undefined);
        expect(await lab.staged()).not.toEqual([]);
        expect((await write(two, ["SELECT 2 AS id, 'b' AS v"])).rowsWritten).toBe(1n);
        expect(await lab.staged()).toEqual([]);
        expect(await lab.read('orders')).toEqual([[2, 'b']]);
      });
    });
  });
}

const never = new AbortController().signal;
