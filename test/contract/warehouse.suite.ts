import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { rawSql, type Sql, sql, toStatement, toText } from '#warehouse/sql.ts';
import type { Bind, RunOptions, Warehouse } from '#warehouse/warehouse.ts';
import { desk } from '../support/warehouse-desk.ts';
import { ownTables } from './own-tables.suite.ts';
import { code, type LabOf, streams, unquoted } from './warehouse-streams.suite.ts';

/** One engine with a database to write into, and what SQL of its own the suite cannot do without. */
export interface WarehouseLab extends AsyncDisposable {
  warehouse: Warehouse;
  /** Where the suite makes its schemas. */
  database: string;
  /** What a name without quotes becomes, where that is not itself. */
  unquoted?(name: string): string;
  /** A SELECT of the column n with the integers from 0 to below so many. */
  numbers(count: number): string;
  /** A SELECT of one row that runs for minutes when nobody stops it. */
  endless: string;
  /** Expressions of the engine, and the value that each must arrive as. */
  values: readonly (readonly [sql: string, value: unknown])[];
  /** Two columns of a result may not have one name. */
  columnsAreUnique?: boolean;
  /** False for an engine that knows the number of a table's rows only by counting them. */
  countsRows?: boolean;
  /** Of an engine in this process: the bytes that it holds where JavaScript does not see them. */
  heldBytes?: () => Promise<number>;
  /** Names that a table may have, the odder the better; the first is that of a table that is described. */
  names?: readonly string[];
  /** Statements that are no SELECT, or more than one. */
  notOneSelect: readonly string[];
}

/** What every engine guarantees. */
export function warehouseSuite(name: string, openLab: () => Promise<WarehouseLab>): void {
  describe(`the warehouse ${name}`, () => {
    const opened: { lab?: WarehouseLab } = {};
    beforeAll(async () => {
      opened.lab = await openLab();
    });
    afterAll(() => opened.lab?.[Symbol.asyncDispose]());
    const labOf = () => opened.lab!;
    describe('a statement', () => {
      statements(labOf);
    });
    describe('a stream', () => {
      streams(labOf);
    });
    describe('a described SELECT', () => {
      descriptions(labOf);
    });
    describe('a written table or view', () => {
      writes(labOf);
    });
  });
}

const oddNames: readonly string[] = ['odd "name".x', 'Größe "x".y', 'select', "it's", 'a;b -- c'];

function statements(labOf: LabOf): void {
  const run = (text: string, binds: readonly Bind[] = [], options?: RunOptions) =>
    labOf().warehouse.run({ sql: text, binds }, options);
  const select = (piece: Sql) => {
    const { warehouse } = labOf();
    return warehouse.run(toStatement(sql`SELECT ${piece} AS v`, warehouse.dialect));
  };

  test('gives the values of its binds back as they are, whatever their type', async () => {
    const given: [Sql, unknown][] = [
      [sql`${null}`, null],
      [sql`${true}`, true],
      [sql`${1.5}`, 1.5],
      [sql`${2n ** 63n - 1n}`, 2n ** 63n - 1n],
      [sql`${-(2n ** 63n)}`, -(2n ** 63n)],
      [sql`${`it's "odd" \\ ? $1 \u{1F600}`}`, `it's "odd" \\ ? $1 \u{1F600}`],
      [sql`${''}`, ''],
      [sql`${new Date('2026-01-02T03:04:05.678Z')}`, '2026-01-02T03:04:05.678000Z'],
    ];
    for (const [piece, value] of given) expect((await select(piece)).rows).toEqual([[value]]);
  });

  test('gives every value exactly, timestamps in UTC', async () => {
    for (const [text, value] of labOf().values) {
      expect((await run(`SELECT ${text} AS v`)).rows, text).toEqual([[value]]);
    }
  });

  test('names its columns in order, also when two have one name', async () => {
    const last = labOf().columnsAreUnique ? 'b' : 'a';
    const { quoteName } = labOf().warehouse.dialect;
    const { columns } = await run(`SELECT 1 AS a, 2 AS ${quoteName('a b')}, 3 AS ${last}`);
    expect(columns.map((column) => column.name)).toEqual([
      unquoted(labOf, 'a'),
      'a b',
      unquoted(labOf, last),
    ]);
  });

  test('is stopped at its deadline with WAREHOUSE_TIMEOUT', async () => {
    const startedAt = performance.now();
    await expect(run(labOf().endless, [], { deadlineMs: 200 })).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test('is stopped when its signal aborts, and costs nothing when that was before', async () => {
    const leave = new AbortController();
    const running = run(labOf().endless, [], { signal: leave.signal });
    setTimeout(() => leave.abort(), 100);
    const startedAt = performance.now();
    await expect(running).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await expect(run('SELECT 1', [], { signal: AbortSignal.abort() })).rejects.toEqual(
      code('WAREHOUSE_TIMEOUT'),
    );
  });

  test('says once when it has its turn, and never when it was stopped before', async () => {
    const started = vi.fn<() => void>();
    await run('SELECT 1', [], { started });
    await expect(run('SELECT 1', [], { started, signal: AbortSignal.abort() })).rejects.toThrow();
    expect(started).toHaveBeenCalledOnce();
  });

  test('fetches no more rows than asked for, and says when there are more', async () => {
    const { numbers } = labOf();
    const cut = await run(`${numbers(10_000)} ORDER BY n`, [], { rowsMax: 3 });
    expect([cut.rows.length, cut.truncated]).toEqual([3, true]);
    const whole = await run(numbers(3), [], { rowsMax: 3 });
    expect([whole.rows.length, whole.truncated]).toEqual([3, false]);
  });

  test('fetches no more bytes than asked for, counted as JSON, but always one row', async () => {
    const { numbers } = labOf();
    const text = `SELECT n, '"quoted" and plain' AS t, NULL AS x FROM (${numbers(1_000)}) AS r ORDER BY n`;
    const bytesOf = (rows: unknown[][]) =>
      Buffer.byteLength(
        JSON.stringify(rows, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
      );
    const cut = await run(text, [], { bytesMax: 5_000 });
    expect(cut.truncated).toBe(true);
    expect(bytesOf(cut.rows)).toBeLessThanOrEqual(5_000);
    expect(bytesOf(cut.rows)).toBeGreaterThan(4_900);
    expect(Math.abs(cut.bytes - bytesOf(cut.rows))).toBeLessThanOrEqual(2);
    const one = await run(text, [], { bytesMax: 1 });
    expect([one.rows.length, one.truncated]).toEqual([1, true]);
  });

  test.each(['SELECT nothing', 'SELECT * FROM nowhere_at_all', 'SELEC', ''])(
    '%j is refused as BAD_USER_INPUT',
    async (text) => {
      await expect(run(text)).rejects.toEqual(code('BAD_USER_INPUT'));
    },
  );
}

function descriptions(labOf: LabOf): void {
  const { target, nameOf, make } = desk(labOf, 'suite_described');
  const oddTarget = () => target((labOf().names ?? oddNames)[0]!);
  const oddRead = () => `suite_described.${oddTarget().name}`;
  const describeSelect = (text: string) => labOf().warehouse.describe(text);
  const readsOf = async (text: string) =>
    (await describeSelect(text)).reads.map((table) => `${table.schema}.${table.name}`).sort();
  beforeAll(async () => {
    const total = labOf().warehouse.dialect.cast(rawSql("'2.50'"), 'decimal');
    await make(target('a'), toText(sql`SELECT 1 AS id, ${total} AS total`, labOf().warehouse.dialect));
    await make(oddTarget(), 'SELECT 1 AS id');
    await make(target('v', 'VIEW'), `SELECT id FROM ${nameOf(target('a'))}`);
    const odd = nameOf(oddTarget());
    await make(
      target('w', 'VIEW'),
      `WITH a AS (SELECT id FROM ${nameOf(target('v'))}) SELECT a.id FROM a JOIN ${odd} AS o ON a.id = o.id`,
    );
  });

  test('has its columns with their types', async () => {
    const { columns } = await describeSelect(
      `SELECT id, total AS ${labOf().warehouse.dialect.quoteName('the total')} FROM ${nameOf(target('a'))} WHERE id > 1`,
    );
    expect(columns.map((column) => column.name)).toEqual([unquoted(labOf, 'id'), 'the total']);
    expect(columns.map(({ dataType }) => labOf().warehouse.dialect.valueType(dataType))).toEqual([
      'integer',
      'decimal',
    ]);
  });

  test('reads the tables that it names, wherever they stand', async () => {
    const a = nameOf(target('a'));
    expect(await readsOf(`SELECT (SELECT max(id) FROM ${nameOf(oddTarget())}) AS m FROM ${a} AS a`)).toEqual([
      'suite_described.a',
      oddRead(),
    ]);
    expect(
      await readsOf(`SELECT x.id FROM ${a} AS x JOIN ${a} AS y ON x.id = y.id ORDER BY 1 LIMIT 3`),
    ).toEqual(['suite_described.a']);
    expect(await readsOf('SELECT 1 AS one')).toEqual([]);
  });

  test('reads what the views among them read, too', async () => {
    expect(await readsOf(`SELECT * FROM ${nameOf(target('w'))}`)).toEqual([
      'suite_described.a',
      oddRead(),
      'suite_described.v',
      'suite_described.w',
    ]);
  });

  test('does not read what a common table expression of the same name hides', async () => {
    expect(await readsOf('WITH a AS (SELECT 1 AS id), v AS (SELECT id FROM a) SELECT * FROM v')).toEqual([]);
    const a = nameOf(target('a'));
    expect(await readsOf(`WITH v AS (SELECT id FROM ${a}) SELECT v.id FROM v`)).toEqual([
      'suite_described.a',
    ]);
  });

  test('is not run', async () => {
    const startedAt = performance.now();
    await describeSelect(labOf().endless);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('is refused when it is anything but one SELECT', async () => {
    for (const text of labOf().notOneSelect) {
      await expect(describeSelect(text), text).rejects.toEqual(code('BAD_USER_INPUT'));
    }
  });

  test('tables and schemas are listed with columns and counts', async () => {
    const { warehouse, database } = labOf();
    const [id, total] = [unquoted(labOf, 'id'), unquoted(labOf, 'total')];
    const tables = await warehouse.tables([target('a'), target('v'), target('missing')]);
    expect(tables).toMatchObject([
      {
        ...target('a'),
        rowCount: labOf().countsRows === false ? null : 1n,
        columns: [{ name: id, ordinal: 1 }, { name: total }],
      },
      { ...target('v', 'VIEW'), rowCount: null, columns: [{ name: id }] },
    ]);
    expect(await warehouse.schemas()).toContainEqual({ database, schema: 'suite_described', tables: 4 });
  });
}

function writes(labOf: LabOf): void {
  const { target, nameOf, make, rows } = desk(labOf, 'suite_written');

  test('is made with its schema, and gives the rows of a table and null for a view', async () => {
    const table = target('made');
    expect(await make(table, labOf().numbers(1_000))).toBe(1_000n);
    expect(await make(target('made_view', 'VIEW'), `SELECT count(*) AS c FROM ${nameOf(table)}`)).toBeNull();
    expect((await rows(target('made_view')))[0]).toEqual([1_000n]);
  });

  test('takes binds in a table, and refuses them in a view, which cannot hold them', async () => {
    const { warehouse } = labOf();
    const bound = toStatement(sql`SELECT ${'x'} AS v`, warehouse.dialect);
    await make(target('bound'), bound.sql, bound.binds);
    expect(await rows(target('bound'))).toEqual([['x']]);
    await expect(make(target('bound_view', 'VIEW'), bound.sql, bound.binds)).rejects.toEqual(
      code('BAD_USER_INPUT'),
    );
    const text = toText(sql`SELECT ${`it's "x"`} AS v`, warehouse.dialect);
    await make(target('text_view', 'VIEW'), text);
    expect(await rows(target('text_view'))).toEqual([[`it's "x"`]]);
  });

  test('takes the place of what was there, also when it is made of that', async () => {
    const table = target('again');
    await make(table, 'SELECT 1 AS a, 2 AS b');
    await make(table, `SELECT a + 1 AS c FROM ${nameOf(table)}`);
    expect((await rows(table)).map(([value]) => Number(value))).toEqual([2]);
    const view = target('again_view', 'VIEW');
    await make(view, 'SELECT 1 AS a');
    await make(view, "SELECT 'x' AS b");
    expect(await rows(view)).toEqual([['x']]);
  });

  test('is seen old or new by those who read meanwhile, and never missing or in between', async () => {
    const table = target('swapped');
    const filled = (value: number) => `SELECT ${value} AS v FROM (${labOf().numbers(200_000)}) AS r`;
    await make(table, filled(0));
    const writing = { goesOn: true };
    const seen = new Set<string>();
    const reading = (async () => {
      while (writing.goesOn) {
        const { rows: found } = await labOf().warehouse.run({
          sql: `SELECT count(*), min(v), max(v) FROM ${nameOf(table)}`,
        });
        seen.add(found[0]!.map(Number).join(' '));
      }
    })();
    for (let value = 1; value <= 5; value += 1) await make(table, filled(value));
    writing.goesOn = false;
    await reading;
    expect(seen.size).toBeGreaterThan(1);
    for (const each of seen) expect(each).toMatch(/^200000 (\d) \1$/);
  });

  test('keeps what was there when its SELECT fails or is stopped, half way through', async () => {
    const { numbers, endless, warehouse } = labOf();
    const table = target('kept');
    await make(table, 'SELECT 1 AS v');
    const { dialect } = warehouse;
    const failing = toStatement(
      sql`SELECT ${dialect.cast(sql`CASE WHEN n = 900000 THEN 'x' ELSE '1' END`, 'integer')} AS v
          FROM (${rawSql(numbers(1_000_000))}) AS r`,
      dialect,
    );
    await expect(make(table, failing.sql, failing.binds)).rejects.toEqual(code('BAD_USER_INPUT'));
    await expect(make(table, 'SELECT nothing')).rejects.toEqual(code('BAD_USER_INPUT'));
    await expect(make(table, endless, [], { deadlineMs: 200 })).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    const leave = new AbortController();
    const stopped = make(table, endless, [], { signal: leave.signal });
    setTimeout(() => leave.abort(), 100);
    await expect(stopped).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    await expect(make(target('kept', 'VIEW'), 'SELECT nothing')).rejects.toBeDefined();
    expect((await rows(table)).map(([value]) => Number(value))).toEqual([1]);
    const tables = await warehouse.tables();
    expect(tables.filter((each) => each.schema === 'suite_written' && each.name === 'kept')).toHaveLength(1);
  });

  test('of the other kind is refused with CONFLICT', async () => {
    await make(target('a_table'), 'SELECT 1 AS v');
    await make(target('a_view', 'VIEW'), 'SELECT 1 AS v');
    await expect(make(target('a_table', 'VIEW'), 'SELECT 2 AS v')).rejects.toEqual(code('CONFLICT'));
    await expect(make(target('a_view'), 'SELECT 2 AS v')).rejects.toEqual(code('CONFLICT'));
  });

  test('that would read itself as a view is refused', async () => {
    const view = target('circle', 'VIEW');
    await make(view, 'SELECT 1 AS v');
    await expect(make(view, `SELECT v FROM ${nameOf(view)}`)).rejects.toEqual(code('BAD_USER_INPUT'));
    expect(await rows(view)).toHaveLength(1);
  });

  test('is made of one SELECT and nothing behind it', async () => {
    await make(target('victim'), 'SELECT 1 AS v');
    const more = `SELECT 1 AS v; DROP TABLE ${nameOf(target('victim'))}`;
    for (const kind of ['TABLE', 'VIEW'] as const) {
      await expect(make(target(`more_${kind}`, kind), more)).rejects.toEqual(code('BAD_USER_INPUT'));
    }
    expect(await rows(target('victim'))).toHaveLength(1);
  });

  test('may have any name', async () => {
    for (const name of labOf().names ?? oddNames) {
      await make(target(name), 'SELECT 1 AS v');
      expect(await rows(target(name))).toHaveLength(1);
    }
  });

  ownTables(labOf);
}
