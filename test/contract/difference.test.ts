import { afterAll, describe, expect, test } from 'vitest';
import type { Json, StreamSelection } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import { duckDbDialect } from '#warehouse/duckdb-dialect.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { PostgresWarehouse } from '#warehouse/postgres.ts';
import { joinSql, nameSql, sql, toStatement } from '#warehouse/sql.ts';
import { originOf, selectionOf, stageAll } from '../support/move-stream.ts';
import {
  openReverseLab,
  type ReverseEngine,
  type ReverseLab,
  stopReverseLabs,
} from '../support/reverse-lab.ts';

afterAll(stopReverseLabs);

const by: Partial<StreamSelection> = {
  syncMode: 'INCREMENTAL',
  writeMode: 'UPSERT',
  primaryKey: ['id'],
  difference: { mirrorRemovals: true },
};

interface KeptTables {
  generation: string;
  since: string | null;
}

const keptIn = (state: Json | null) => (state as { difference: KeptTables } | null)!.difference;

/** Makes the table of these keys and texts. */
async function fill(lab: ReverseLab, table: string, rows: ReadonlyMap<number, string>): Promise<void> {
  const said = [...rows].map(
    ([id, name]) => `SELECT CAST(${id} AS BIGINT) AS "id", CAST('${name}' AS VARCHAR(40)) AS "name"`,
  );
  const none = `SELECT CAST(0 AS BIGINT) AS "id", CAST('' AS VARCHAR(40)) AS "name" WHERE 1 = 0`;
  await lab.fill(table, said.length === 0 ? none : said.join(' UNION ALL '));
}

const plan = async (
  lab: ReverseLab,
  origin = originOf(),
  more: { state?: Json; resume?: Json; staged?: string[] } = {},
) => {
  const source = await datastoreSource.open(lab.config, lab.context());
  const selection = selectionOf('rows', { namespace: 'src', ...by });
  return source.plan(selection, { state: null, resume: null, asText: [], origin, ...more });
};

describe.each(['DuckDB', 'PostgreSQL', 'Snowflake'] as const satisfies ReverseEngine[])(
  'what a difference on %s remembers',
  (engine) => {
    test('stays true over many small changes, and is written anew only when they have become many', async () => {
      await using lab = await openReverseLab(engine);
      const rows = new Map<number, string>(
        Array.from({ length: 80 }, (_, at) => [at, `name ${at}`] as const),
      );
      await fill(lab, 'rows', rows);
      const generations = new Set([keptIn((await lab.move('rows', by)).state).generation]);
      const edits: (() => void)[] = [
        () => rows.set(1, 'changed'),
        () => rows.delete(2),
        () => rows.set(100, 'new'),
        () => rows.set(2, 'back'),
        () => rows.set(1, 'name 1'),
        () => rows.delete(100),
        () => rows.set(100, 'new once more'),
        () => rows.set(1, 'changed again'),
        () => rows.delete(1),
        () => [3, 4, 5].forEach((id) => rows.set(id, 'x')),
        () => rows.delete(3),
      ];
      for (const [run, edit] of edits.entries()) {
        edit();
        await fill(lab, 'rows', rows);
        const moved = await lab.move('rows', by);
        const kept = keptIn(moved.state);
        generations.add(kept.generation);
        expect(moved.rowsWritten, `run ${run}`).toBe(run === 9 ? 3n : 1n);
        expect((await lab.rows('rows')).map(([id, name]) => [Number(id), name])).toEqual(
          [...rows].toSorted(([a], [b]) => a - b),
        );
        const own = (await lab.warehouse.ownTables()).filter((name) => name.startsWith('diff_'));
        expect(own.toSorted()).toEqual([kept.generation, ...(kept.since === null ? [] : [kept.since])]);
      }
      expect(await lab.move('rows', by)).toMatchObject({ rowsWritten: 0n });
      expect(generations.size).toBe(2);
    });

    test('of an attempt that comes back late takes nothing from the one that has gone on', async () => {
      await using lab = await openReverseLab(engine);
      const rows = new Map([
        [1, 'a'],
        [2, 'b'],
      ]);
      await fill(lab, 'rows', rows);
      const origin = originOf();
      const { state } = await lab.move('rows', by, { origin });
      await fill(lab, 'rows', rows.set(1, 'A'));
      await using late = await plan(lab, origin, { state: state! });
      const next = originOf(origin.jobId);
      const second = await lab.move('rows', by, { origin: next });
      await late.published!();
      await fill(lab, 'rows', new Map([[2, 'b']]));
      expect(
        await lab.move('rows', by, { origin: originOf(origin.jobId), state: second.state }),
      ).toMatchObject({
        changes: { added: 0n, changed: 0n, removed: 1n },
      });
    });
  },
);

describe('a first difference on DuckDB', () => {
  test('whose rows are staged goes on without reading them again; where they are gone, it reads all anew', async () => {
    await using lab = await openReverseLab('DuckDB');
    await fill(lab, 'rows', new Map([[1, 'a']]));
    const origin = originOf();
    const first = await plan(lab, origin);
    const { resume } = first;
    const { id } = first.parts[0]!;
    await first[Symbol.asyncDispose]();
    await fill(lab, 'rows', new Map([[1, 'b']]));
    {
      await using again = await plan(lab, origin, { resume: resume!, staged: [id] });
      expect(again.parts.map((part) => part.id)).toEqual([id]);
      expect(again.nextState).toEqual(first.nextState);
      const never = new AbortController().signal;
      await expect((async () => again.parts[0]!.open(never))()).rejects.toMatchObject({ kind: 'TRANSIENT' });
    }
    await using anew = await plan(lab, origin, { resume: resume! });
    expect(anew.parts.map((part) => part.id)).not.toEqual([id]);
    const own = await lab.warehouse.ownTables();
    expect(own.filter((name) => name.startsWith('diff_'))).toEqual([keptIn(anew.nextState).generation]);
  });

  test('remembers what has travelled, while the table is written to', async () => {
    await using lab = await openReverseLab('DuckDB');
    await lab.fill('rows', 'SELECT range AS "id", 0 AS "name" FROM range(200000)');
    const until = new AbortController();
    const writing = (async () => {
      for (let round = 1; !until.signal.aborted; round += 1) {
        await lab.fill('rows', `SELECT range AS "id", ${round} AS "name" FROM range(${200_000 + round})`);
      }
    })();
    try {
      const moved = await lab.move('rows', by);
      until.abort();
      await writing;
      const before = await lab.mover.rows('SELECT count(*), min("name"), max("name") FROM raw."rows"');
      const [[count, low, high]] = before as [[bigint, number, number]];
      expect(low).toBe(high);
      // Brought to exactly what was copied, the stream has nothing new.
      await lab.fill('rows', `SELECT range AS "id", ${low} AS "name" FROM range(${count})`);
      expect(await lab.move('rows', by, { state: moved.state })).toMatchObject({
        changes: { added: 0n, changed: 0n, removed: 0n },
      });
    } finally {
      until.abort();
      await writing;
    }
  });
});

test('a number whose hash is that of NULL is told from it on DuckDB', async () => {
  await using lab = await openReverseLab('DuckDB');
  const like = sql`CAST(-2930909409056394622 AS BIGINT)`;
  const none = sql`CAST(NULL AS BIGINT)`;
  const hashOf = (value: typeof like) => duckDbDialect.rowHash([{ value, dataType: 'BIGINT' }]);
  const question = sql`SELECT hash(${like}) = hash(${none}) AS one, ${hashOf(like)} = ${hashOf(none)} AS both`;
  expect((await lab.warehouse.run(toStatement(question, duckDbDialect))).rows).toEqual([[true, false]]);
});

test('keys that PostgreSQL takes for equal, and that arrive as different texts, are rows of their own', async () => {
  await using lab = await openReverseLab('PostgreSQL');
  await lab.fill('rows', `SELECT 1.0::numeric AS "id", 'a' AS "name"`);
  const origin = originOf();
  await lab.move('rows', by, { origin });
  await lab.fill('rows', `SELECT 1.00::numeric AS "id", 'a' AS "name"`);
  expect(await lab.move('rows', by, { origin: originOf(origin.jobId) })).toMatchObject({
    changes: { added: 1n, changed: 0n, removed: 1n },
  });
  expect(await lab.rows('rows')).toEqual([['1.00', 'a']]);
});

test('a task whose rows are staged when it stops has them published by the next attempt, once', async () => {
  await using lab = await openReverseLab('DuckDB');
  await lab.fill('rows', 'SELECT range AS "id", \'x\' AS "name" FROM range(1000)');
  const origin = originOf();
  await using first = await plan(lab, origin);
  await using destination = await datastoreDestination.open({}, lab.context());
  const selection = selectionOf('rows', { namespace: 'src', ...by });
  {
    await using writer = await destination.stream(origin, selection);
    await writer.begin(first.columns, false);
    await stageAll(first, writer, new AbortController().signal);
  }
  await using writer = await destination.stream(origin, selection);
  const staged = writer.staged.map(({ partId }) => partId);
  await using again = await plan(lab, origin, { resume: first.resume!, staged });
  await writer.begin(again.columns, true);
  expect(writer.staged.map(({ partId }) => partId)).toEqual(again.parts.map(({ id }) => id));
  expect(await writer.publish(again.nextState, again.ties)).toMatchObject({ rowsWritten: 1_000n });
  expect(await lab.rows('rows')).toHaveLength(1_000);
});

test.each(['DuckDB', 'PostgreSQL'] as const)(
  'keys that %s compares in any case are rows of their own',
  async (engine) => {
    await using lab = await openReverseLab(engine);
    const name = engine === 'DuckDB' ? 'NOCASE' : 'any_case';
    await lab.fill('rows', `SELECT 'A' AS "id", 1 AS "name"`);
    if (engine === 'DuckDB') {
      const warehouse = lab.warehouse as DuckDbWarehouse;
      await using session = await warehouse.session();
      await session.run('CREATE OR REPLACE TABLE src."rows" (id VARCHAR COLLATE NOCASE, name INTEGER)');
      await session.run(`INSERT INTO src."rows" VALUES ('A', 1), ('b', 1)`);
      expect(await session.rows(`SELECT count(*) FROM src."rows" WHERE id = 'a'`)).toEqual([[1n]]);
      const { state } = await lab.move('rows', by);
      await session.run(`UPDATE src."rows" SET id = 'a' WHERE id = 'A'`);
      expect(await lab.move('rows', by, { state })).toMatchObject({
        changes: { added: 1n, changed: 0n, removed: 1n },
      });
    } else {
      const warehouse = lab.warehouse as PostgresWarehouse;
      await using session = await warehouse.session(new AbortController().signal);
      await session.run(
        `CREATE COLLATION ${name} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      );
      await session.run(`ALTER TABLE src."rows" ALTER COLUMN id TYPE text COLLATE ${name}`);
      await session.run(`INSERT INTO src."rows" VALUES ('b', 1)`);
      const { state } = await lab.move('rows', by);
      await session.run(`UPDATE src."rows" SET id = 'a' WHERE id = 'A'`);
      expect(await lab.move('rows', by, { state })).toMatchObject({
        changes: { added: 1n, changed: 0n, removed: 1n },
      });
    }
    expect((await lab.rows('rows')).map(([id]) => id)).toEqual(['a', 'b']);
  },
);

test.each(['DuckDB', 'PostgreSQL', 'Snowflake'] as const)(
  'on %s names may hold anything, and the order of the key does not matter',
  async (engine) => {
    await using lab = await openReverseLab(engine);
    const [table, one, two, value] = ['ta"ble.1 ü', `k'ey "1".a`, 'K'.repeat(63), 'select "ü"'];
    const fill = (rows: readonly (readonly [number, string, string])[]) =>
      lab.fill(
        table,
        joinSql(
          rows.map(
            ([a, b, c]) =>
              sql`SELECT CAST(${String(a)} AS INTEGER) AS ${nameSql(one)}, CAST(${b} AS VARCHAR(9)) AS ${nameSql(two)}, CAST(${c} AS VARCHAR(9)) AS ${nameSql(value)}`,
          ),
          ' UNION ALL ',
        ),
      );
    const more = { ...by, destinationTable: 'odd' };
    await fill([
      [1, 'a', 'x'],
      [1, 'b', 'x'],
      [2, 'a', 'x'],
    ]);
    const origin = originOf();
    const { state } = await lab.move(table, { ...more, primaryKey: [one, two] }, { origin });
    await fill([
      [1, 'a', 'x'],
      [1, 'b', 'y'],
      [3, 'a', 'x'],
    ]);
    const next = { origin: originOf(origin.jobId), state };
    expect(await lab.move(table, { ...more, primaryKey: [two, one] }, next)).toMatchObject({
      changes: { added: 1n, changed: 1n, removed: 1n },
    });
    expect((await lab.rows('odd')).map((row) => row.join())).toEqual(['1,a,x', '1,b,y', '3,a,x']);
  },
);
