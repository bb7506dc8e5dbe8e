import { expect, test, vi } from 'vitest';
import { rawSql, toText } from '#warehouse/sql.ts';
import type { RunOptions } from '#warehouse/warehouse.ts';
import { mostHeld } from '../support/held-memory.ts';
import type { WarehouseLab } from './warehouse.suite.ts';

export type LabOf = () => WarehouseLab;

/** What a stream may hold of a million rows of 200 bytes; engines hold up to 23 MiB, in what they fetch ahead. */
export const heldBytesMax = 64 * 1024 * 1024;

/** The name as the engine keeps it when it is written without quotes. */
export const unquoted = (labOf: LabOf, name: string) => labOf().unquoted?.(name) ?? name;

export const code = (wanted: string) => expect.objectContaining({ code: wanted }) as unknown;

/** A SELECT of 300,000 rows, of which the engine cannot compute one. */
function failingAt(labOf: LabOf, row: number): string {
  const value = toText(
    labOf().warehouse.dialect.cast(rawSql(`CASE WHEN n = ${row} THEN 'x' ELSE '1' END`), 'integer'),
    labOf().warehouse.dialect,
  );
  return `SELECT n, ${value} AS v FROM (${labOf().numbers(300_000)}) AS r`;
}

/** What every engine guarantees of a stream. */
export function streams(labOf: LabOf): void {
  test('gives all rows in pieces, in order', async () => {
    const { warehouse, numbers } = labOf();
    let next = 0n;
    let pieces = 0;
    for await (const { columns, rows } of warehouse.stream({ sql: `${numbers(20_000)} ORDER BY n` })) {
      expect(columns.map((column) => column.name)).toEqual([unquoted(labOf, 'n')]);
      for (const [n] of rows) expect(BigInt(n as number)).toBe(next++);
      pieces += 1;
    }
    expect(next).toBe(20_000n);
    expect(pieces).toBeGreaterThan(1);
  });

  test('without rows has one piece, which names the columns, and says once when it has its turn', async () => {
    const { warehouse, numbers } = labOf();
    const started = vi.fn<() => void>();
    const pieces = await Array.fromAsync(warehouse.stream({ sql: `${numbers(1)} WHERE 1 = 0` }, { started }));
    expect(started).toHaveBeenCalledOnce();
    expect(pieces.map(({ columns, rows }) => [columns[0]?.name, rows.length])).toEqual([
      [unquoted(labOf, 'n'), 0],
    ]);
  });

  test('of any length holds few of its rows at a time, from the first to the last', async () => {
    const { warehouse, numbers, heldBytes } = labOf();
    const take = (count: number) => {
      const long = 'some text that takes its room in every row '.repeat(5);
      const text = `SELECT n, '${long}' AS t FROM (${numbers(count)}) AS r`;
      return mostHeld(warehouse.stream({ sql: text }, { deadlineMs: 120_000 }), count, heldBytes);
    };
    // Until then the process finds its size, whatever it does.
    await take(100_000);
    const { rows, bytes } = await take(1_000_000);
    expect(rows).toBe(1_000_000);
    // The fewest that an engine holds half of them in is 100 MiB: as texts, not yet made into values.
    expect(bytes).toBeLessThan(heldBytesMax);
  }, 150_000);

  test('that is left early stops, and others go on', async () => {
    const { warehouse, numbers } = labOf();
    const text = `SELECT n, 'some text that takes its room in every row' AS t FROM (${numbers(200_000)}) AS r`;
    for (let round = 0; round < 20; round += 1) {
      for await (const { rows } of warehouse.stream({ sql: text })) {
        expect(rows.length).toBeGreaterThan(0);
        break;
      }
    }
    expect((await warehouse.run({ sql: 'SELECT 1' })).rows).toHaveLength(1);
  });

  test('whose readers wait keeps no other statement from running', async () => {
    const { warehouse, numbers } = labOf();
    const all = Array.from({ length: 20 }, () =>
      warehouse.stream({ sql: numbers(100_000) })[Symbol.asyncIterator](),
    );
    await Promise.all(all.map((each) => each.next()));
    expect((await warehouse.run({ sql: 'SELECT 1' }, { deadlineMs: 5_000 })).rows).toHaveLength(1);
    for (const each of all) await each.return?.();
  });

  test('ends with WAREHOUSE_TIMEOUT at its deadline and when its signal aborts, also while its reader waits', async () => {
    const { warehouse, numbers } = labOf();
    const leave = new AbortController();
    const open = (count: number, options: RunOptions) =>
      warehouse.stream({ sql: numbers(count) }, options)[Symbol.asyncIterator]();
    const startedAt = performance.now();
    const timed = open(200_000, {});
    await timed.next();
    // Its first rows are to come within the deadline, also on a busy machine.
    const deadlineMs = 500 + 4 * Math.ceil(performance.now() - startedAt);
    await timed.return?.();
    const late = open(200_000, { deadlineMs });
    const left = open(5_000_000, { signal: leave.signal });
    await late.next();
    await left.next();
    leave.abort();
    await expect(left.next()).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    await new Promise((resolve) => setTimeout(resolve, deadlineMs + 50));
    await expect(late.next()).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
  });

  test('of SQL that the engine refuses fails with BAD_USER_INPUT', async () => {
    const pieces = labOf().warehouse.stream({ sql: 'SELECT * FROM nowhere_at_all' });
    await expect(Array.fromAsync(pieces)).rejects.toEqual(code('BAD_USER_INPUT'));
  });

  test('that fails after its first rows says so, and never seems to have given all', async () => {
    const { warehouse } = labOf();
    const statement = { sql: failingAt(labOf, 250_000) };
    await expect(Array.fromAsync(warehouse.stream(statement))).rejects.toEqual(code('BAD_USER_INPUT'));
    const whole = { rowsMax: 1_000_000, bytesMax: Infinity };
    await expect(warehouse.run(statement, whole)).rejects.toEqual(code('BAD_USER_INPUT'));
  });
}
