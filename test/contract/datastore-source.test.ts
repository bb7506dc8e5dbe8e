import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import {
  openReverseLab,
  type ReverseEngine,
  type ReverseLab,
  stopReverseLabs,
} from '../support/reverse-lab.ts';
import { joinSql, nameSql, sql } from '#warehouse/sql.ts';
import { sourceSuite } from './source.suite.ts';

const engines = ['DuckDB', 'PostgreSQL', 'Snowflake'] as const satisfies ReverseEngine[];
type Tried = (typeof engines)[number];
const never = new AbortController().signal;

afterAll(stopReverseLabs);

/** Rows as a SELECT that every engine reads: id, name, price. */
function rowsSql(
  rows: readonly (readonly [id: number | null, name: string | null, price?: string])[],
): string {
  const said = rows.map(([id, name, price = '1.50']) => {
    const text = name === null ? 'NULL' : `'${name}'`;
    return `SELECT CAST(${id ?? 'NULL'} AS BIGINT) AS "id", CAST(${text} AS VARCHAR(40)) AS "name", CAST(${price} AS DECIMAL(12,2)) AS "price"`;
  });
  return said.join(' UNION ALL ');
}

const numbers: Record<Tried, (count: number) => string> = {
  DuckDB: (count) => `SELECT range AS "id", 'name ' || range AS "name" FROM range(1, ${count + 1})`,
  PostgreSQL: (count) =>
    `SELECT n AS "id", 'name ' || n AS "name" FROM generate_series(1::int8, ${count}::int8) AS n`,
  Snowflake: (count) =>
    `SELECT CAST(n + 1 AS NUMBER(18, 0)) AS "id", 'name ' || (n + 1) AS "name" FROM (SELECT SEQ8() AS n FROM TABLE(GENERATOR(ROWCOUNT => ${count}))) AS numbers`,
};

for (const engine of engines) {
  const size = engine === 'Snowflake' ? 3_000 : 60_000;
  for (const kind of ['a table', 'a SELECT'] as const) {
    // Elsewhere a table is read as a SELECT of all of it is.
    if (engine !== 'PostgreSQL' && kind === 'a SELECT') continue;
    sourceSuite(`datastore on ${engine}, ${kind}`, async () => {
      const lab = await openReverseLab(engine);
      const table = kind === 'a table' ? 'numbers' : 'held';
      await lab.fill(table, numbers[engine](size));
      const sql = `SELECT "id", "name" FROM "src"."held" -- all of them`;
      return {
        connector: datastoreSource,
        config: kind === 'a table' ? lab.config : { ...lab.config, streams: [{ name: 'numbers', sql }] },
        mover: { ...lab.mover, context: lab.context },
        namespace: kind === 'a table' ? 'src' : null,
        cursorField: 'id',
        ids: Array.from({ length: size }, (_, at) => BigInt(at + 1)),
        async grow() {
          await lab.fill(table, numbers[engine](size + 2));
          return [BigInt(size + 1), BigInt(size + 2)];
        },
        [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
      };
    });
  }
}

const by: Partial<StreamSelection> = {
  syncMode: 'INCREMENTAL',
  writeMode: 'UPSERT',
  primaryKey: ['id'],
  difference: { mirrorRemovals: true },
};

describe.each(engines)('a difference on %s', (engine) => {
  let lab: ReverseLab;
  beforeAll(async () => {
    lab = await openReverseLab(engine);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('moves what was added, changed and removed since the last run, and nothing else', async () => {
    const rows = Array.from({ length: 50 }, (_, at) => [at + 1, `name ${at + 1}`] as const);
    await lab.fill('orders', rowsSql(rows));
    const first = await lab.move('orders', by);
    expect(first).toMatchObject({ rowsWritten: 50n, changes: { added: 50n, changed: 0n, removed: 0n } });
    expect(await lab.move('orders', by)).toMatchObject({ rowsWritten: 0n, parts: 0 });
    await lab.fill(
      'orders',
      rowsSql(
        [...rows.slice(2), [51, 'new'], [3, 'new'], [4, null]].filter(
          (row, at, all) => all.findLastIndex(([id]) => id === row[0]) === at,
        ) as never,
      ),
    );
    const second = await lab.move('orders', by);
    expect(second).toMatchObject({ rowsWritten: 5n, changes: { added: 1n, changed: 2n, removed: 2n } });
    const copy = await lab.rows('orders');
    expect(copy).toHaveLength(49);
    expect(copy.slice(0, 3)).toEqual([
      [3n, 'new', '1.50'],
      [4n, null, '1.50'],
      [5n, 'name 5', '1.50'],
    ]);
    expect(copy.at(-1)).toEqual([51n, 'new', '1.50']);
    const third = await lab.move('orders', by);
    expect(third).toMatchObject({ changes: { added: 0n, changed: 0n, removed: 0n }, state: second.state });
    const { generation, since } = (third.state as { difference: Record<string, string> }).difference;
    expect((await own(lab)).toSorted()).toEqual([generation, since]);
  });

  test('tells NULL from the empty text and each digit of a decimal, and keeps removed rows where it is not to mirror them', async () => {
    const more = { ...by, difference: { mirrorRemovals: false } };
    await lab.fill(
      'odd',
      rowsSql([
        [1, null],
        [2, ''],
        [3, 'x', '1.50'],
        [4, 'gone'],
      ]),
    );
    await lab.move('odd', more);
    await lab.fill(
      'odd',
      rowsSql([
        [1, ''],
        [2, null],
        [3, 'x', '1.51'],
      ]),
    );
    expect(await lab.move('odd', more)).toMatchObject({
      rowsWritten: 3n,
      changes: { added: 0n, changed: 3n, removed: 1n },
    });
    expect(await lab.rows('odd')).toEqual([
      [1n, '', '1.50'],
      [2n, null, '1.50'],
      [3n, 'x', '1.51'],
      [4n, 'gone', '1.50'],
    ]);
    await lab.fill(
      'odd',
      rowsSql([
        [1, ''],
        [2, null],
        [3, 'x', '1.51'],
        [4, 'back'],
      ]),
    );
    expect(await lab.move('odd', more)).toMatchObject({ changes: { added: 1n, changed: 0n, removed: 0n } });
    expect((await lab.rows('odd')).at(-1)).toEqual([4n, 'back', '1.50']);
  });

  test('a task that ends before its publish has changed nothing: the next one finds the same', async () => {
    await lab.fill(
      'broken',
      rowsSql([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    const origin = originOf();
    const { state } = await lab.move('broken', by, { origin });
    await lab.fill(
      'broken',
      rowsSql([
        [1, 'A'],
        [3, 'c'],
      ]),
    );
    const selection = selectionOf('broken', { namespace: 'src', ...by });
    await using source = await datastoreSource.open(lab.config, lab.context());
    const plan = await source.plan(selection, { state, resume: null, asText: [], origin });
    const id = plan.parts[0]!.id;
    const { resume } = plan;
    await plan[Symbol.asyncDispose]();
    // Another attempt of the same task reads the very same changes, whatever the table holds by then.
    await lab.fill(
      'broken',
      rowsSql([
        [1, 'AA'],
        [3, 'c'],
      ]),
    );
    {
      await using again = await source.plan(selection, { state, resume, asText: [], origin });
      expect(again.parts[0]!.id).toBe(id);
      expect(again.changes).toEqual({ added: 1n, changed: 1n, removed: 1n });
      expect(again.nextState).toEqual(plan.nextState);
    }
    const next = originOf(origin.jobId);
    expect(await lab.move('broken', by, { origin: next })).toMatchObject({
      changes: { added: 1n, changed: 1n, removed: 1n },
    });
    expect((await lab.rows('broken')).flat()).toEqual([1n, 'AA', '1.50', 3n, 'c', '1.50']);
  });

  test('a key that is NULL or not unique fails with SCHEMA, naming it', async () => {
    await lab.fill(
      'keys',
      rowsSql([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    await lab.move('keys', by);
    for (const [rows, message] of [
      [
        [
          [1, 'a'],
          [2, 'b'],
          [null, 'c'],
        ],
        /NULL in their key \(id\), such as \(NULL\)/,
      ],
      [
        [
          [1, 'a'],
          [2, 'b'],
          [7, 'c'],
          [7, 'd'],
        ],
        /have one key \(id\), such as \(7\)/,
      ],
      // One of them is as it was.
      [
        [
          [1, 'a'],
          [2, 'b'],
          [2, 'c'],
        ],
        /have one key \(id\), such as \(2\)/,
      ],
    ] as const) {
      await lab.fill('keys', rowsSql(rows));
      await expect(lab.move('keys', by)).rejects.toMatchObject({
        kind: 'SCHEMA',
        message: expect.stringMatching(message),
      });
    }
    expect((await lab.rows('keys')).map(([id]) => id)).toEqual([1n, 2n]);
  });

  test('a column that comes or goes counts every row as changed; the order of columns does not', async () => {
    await lab.fill(
      'shape',
      rowsSql([
        [1, 'a'],
        [2, 'b'],
      ]),
    );
    await lab.move('shape', by);
    await lab.fill(
      'shape',
      `SELECT "price", "id", "name" FROM (${rowsSql([
        [1, 'a'],
        [2, 'b'],
      ])}) AS x`,
    );
    expect(await lab.move('shape', by)).toMatchObject({ changes: { changed: 0n } });
    await lab.fill(
      'shape',
      `SELECT x.*, CAST(NULL AS VARCHAR(9)) AS "more" FROM (${rowsSql([
        [1, 'a'],
        [2, 'b'],
      ])}) AS x`,
    );
    expect(await lab.move('shape', by)).toMatchObject({ rowsWritten: 2n, changes: { changed: 2n } });
    expect(await lab.move('shape', { ...by, selectedColumns: ['id', 'name'] })).toMatchObject({
      changes: { changed: 2n },
    });
  });

  test('two jobs over one table know nothing of each other', async () => {
    await lab.fill('shared', rowsSql([[1, 'a']]));
    const [one, two] = [originOf(), originOf()];
    await Promise.all([
      lab.move('shared', { ...by, destinationTable: 'shared_1' }, { origin: one }),
      lab.move('shared', { ...by, destinationTable: 'shared_2' }, { origin: two }),
    ]);
    await lab.fill(
      'shared',
      rowsSql([
        [1, 'b'],
        [2, 'c'],
      ]),
    );
    const again = async (of: typeof one, table: string) =>
      lab.move('shared', { ...by, destinationTable: table }, { origin: originOf(of.jobId) });
    const moved = await Promise.all([again(one, 'shared_1'), again(two, 'shared_2')]);
    for (const each of moved) expect(each.changes).toEqual({ added: 1n, changed: 1n, removed: 0n });
    expect(await lab.rows('shared_1')).toEqual(await lab.rows('shared_2'));
  });
});

describe.each(['Redshift', 'BigQuery', 'Databricks'] as const)('on %s too', (engine) => {
  test('a difference moves what has changed, and a cursor what is new', async () => {
    await using lab = await openReverseLab(engine);
    const { cast } = lab.warehouse.dialect;
    const table = (rows: readonly (readonly [id: number, name: string | null])[]) => {
      const selects = rows.map(
        ([id, name]) =>
          sql`SELECT ${cast(sql`${String(id)}`, 'integer')} AS ${nameSql('id')}, ${cast(sql`${name}`, 'text')} AS ${nameSql('name')}`,
      );
      return joinSql(selects, ' UNION ALL ');
    };
    const origin = originOf();
    const again = () => originOf(origin.jobId);
    await lab.fill(
      'users',
      table([
        [1, 'a'],
        [2, null],
        [3, "it's \t \\ \n"],
        [4, 'd'],
      ]),
    );
    expect(await lab.move('users', by, { origin })).toMatchObject({
      rowsWritten: 4n,
      changes: { added: 4n },
    });
    await lab.fill(
      'users',
      table([
        [1, 'a'],
        [2, ''],
        [3, "it's \t \\ \n"],
        [5, 'e'],
      ]),
    );
    expect(await lab.move('users', by, { origin: again() })).toMatchObject({
      rowsWritten: 3n,
      changes: { added: 1n, changed: 1n, removed: 1n },
    });
    expect((await lab.rows('users')).map(([id, name]) => [Number(id), name])).toEqual([
      [1, 'a'],
      [2, ''],
      [3, "it's \t \\ \n"],
      [5, 'e'],
    ]);
    expect(await lab.move('users', by, { origin: again() })).toMatchObject({ parts: 0 });
    const cursor = {
      syncMode: 'INCREMENTAL',
      writeMode: 'APPEND',
      cursorField: 'id',
      destinationTable: 'log',
    } as const;
    const follows = originOf();
    expect(await lab.move('users', cursor, { origin: follows })).toMatchObject({ rowsWritten: 4n });
    await lab.fill(
      'users',
      table([
        [5, 'e'],
        [6, 'f'],
      ]),
    );
    expect(await lab.move('users', cursor, { origin: originOf(follows.jobId) })).toMatchObject({
      rowsWritten: 1n,
    });
  });
});

async function own({ warehouse }: ReverseLab): Promise<string[]> {
  return (await warehouse.ownTables({ signal: never })).filter((name) => name.startsWith('diff_'));
}
