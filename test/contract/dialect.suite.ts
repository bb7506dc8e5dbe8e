import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aggregations, type Aggregation, grains, type ValueType } from '#warehouse/dialect.ts';
import { joinSql, nameSql, rawSql, type Sql, sql, toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { clockOf, isoOf, moments, numberOf, startOf } from '../support/periods.ts';

const code = (wanted: string) => expect.objectContaining({ code: wanted }) as unknown;

/** One engine, and what its names may be where they may not be all. */
export interface DialectLab extends AsyncDisposable {
  warehouse: Warehouse;
  columnNames?: readonly string[];
}

/** What every engine's dialect means, asked of the engine itself. */
export function dialectSuite(name: string, openLab: () => Promise<DialectLab>): void {
  describe(`the dialect of ${name}`, () => {
    const opened: { lab?: Awaited<ReturnType<typeof openLab>> } = {};
    beforeAll(async () => {
      opened.lab = await openLab();
    });
    afterAll(() => opened.lab?.[Symbol.asyncDispose]());
    dialects(() => opened.lab!);
  });
}

function dialects(labOf: () => DialectLab): void {
  const warehouseOf = () => labOf().warehouse;
  const ask = async (piece: Sql) => {
    const warehouse = warehouseOf();
    return (await warehouse.run(toStatement(piece, warehouse.dialect))).rows;
  };
  const value = async (piece: Sql) => (await ask(sql`SELECT ${piece} AS v`))[0]![0];
  const d = () => warehouseOf().dialect;
  /** A relation of these texts, some of them null. */
  const texts = (values: readonly (string | null)[]) => {
    const rows = values.map((each) => sql`SELECT ${d().cast(sql`${each}`, 'text')} AS t`);
    return sql`(${rows.reduce((all, row) => sql`${all} UNION ALL ${row}`)}) AS r`;
  };

  test('quotes any name', async () => {
    for (const name of labOf().columnNames ?? ['a', 'A b', 'x"y', 'select', 'ü.ö']) {
      const warehouse = warehouseOf();
      const { columns } = await warehouse.run(
        toStatement(sql`SELECT 1 AS ${nameSql(name)}`, warehouse.dialect),
      );
      expect(columns[0]!.name).toBe(name);
    }
  });

  test('writes any text as a literal', async () => {
    for (const text of ['', "it's", "'' \\' --", '"x"', 'a\nb', '$1 ?', '\u{1F600}']) {
      expect(await value(rawSql(d().quoteText(text)))).toBe(text);
    }
  });

  test('knows what the types of its own casts are', async () => {
    const types: ValueType[] = [
      'text',
      'integer',
      'decimal',
      'float',
      'boolean',
      'uuid',
      'date',
      'timestamp',
      'timestamptz',
      'json',
    ];
    for (const type of types) {
      const warehouse = warehouseOf();
      const statement = toStatement(sql`SELECT ${d().cast(sql`${null}`, type)} AS v`, warehouse.dialect);
      const { columns } = await warehouse.run(statement);
      // Without a type for them, UUIDs are texts.
      const known = type === 'uuid' ? ['uuid', 'text'] : [type];
      expect(known).toContain(d().valueType(columns[0]!.dataType));
    }
  });

  test('casts what is of the type, and fails or gives NULL for what is not', async () => {
    expect(await value(d().cast(sql`${'12'}`, 'integer'))).toBe(12n);
    expect(await value(d().cast(sql`${'2026-02-28'}`, 'date'))).toBe('2026-02-28');
    expect(await value(d().cast(sql`${'2026-02-28T01:00:00+02:00'}`, 'timestamptz'))).toBe(
      '2026-02-27T23:00:00.000000Z',
    );
    expect(await value(d().tryCast(sql`${'1.5'}`, 'float'))).toBe(1.5);
    for (const [text, type] of [
      ['twelve', 'integer'],
      ['x', 'float'],
      ['2026-02-30', 'date'],
      ['yes or no', 'boolean'],
    ] as const) {
      await expect(value(d().cast(sql`${text}`, type)), text).rejects.toEqual(code('BAD_USER_INPUT'));
      expect(await value(d().tryCast(sql`${text}`, type)), text).toBeNull();
    }
  });

  test('makes rows of a list, of any type and of none', async () => {
    const lists: [(string | bigint | boolean | number)[], ValueType][] = [
      [['b', 'a', "it's"], 'text'],
      [[2n, 1n, 9_007_199_254_740_993n], 'integer'],
      [[1.5, -2], 'float'],
      [[true, false], 'boolean'],
      [['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'], 'uuid'],
    ];
    for (const [list, type] of lists) {
      const rows = await ask(sql`SELECT ${nameSql('item')} FROM ${d().listRows(list, type)} AS l`);
      expect(new Set(rows.map(([item]) => item))).toEqual(new Set(list));
      expect(await ask(sql`SELECT ${nameSql('item')} FROM ${d().listRows([], type)} AS l`)).toEqual([]);
    }
    const moment = new Date('2026-01-02T03:04:05Z');
    expect(
      await ask(sql`SELECT ${nameSql('item')} FROM ${d().listRows([moment], 'timestamptz')} AS l`),
    ).toEqual([['2026-01-02T03:04:05.000000Z']]);
  });

  test('hashes equal rows to equal values, and rows that differ in anything to others', async () => {
    const text = (of: string | null) => ({ value: d().cast(sql`${of}`, 'text'), dataType: typeOf('text') });
    const typeNames = await Promise.all(
      hashedTypes.map(async (type) => {
        const warehouse = warehouseOf();
        const statement = toStatement(sql`SELECT ${d().cast(sql`${null}`, type)} AS v`, warehouse.dialect);
        return [type, (await warehouse.run(statement)).columns[0]!.dataType] as const;
      }),
    );
    const typeOf = (type: ValueType) => new Map<ValueType, string>(typeNames).get(type)!;
    const of = (type: ValueType, written: string) => [
      { value: d().cast(sql`${written}`, type), dataType: typeOf(type) },
    ];
    const rows = [
      [text('a'), text('b')],
      [text('b'), text('a')],
      [text('ab'), text('')],
      [text(''), text('ab')],
      [text('ab'), text(null)],
      [text(null), text('ab')],
      [text('a')],
      [text('')],
      [text('-')],
      [text(null)],
      [text('1:a')],
      [text('a'), text('b'), text(null)],
      [text('ä')],
      [text('abcdefg.hijklmn.rest')],
      [text('abcdefg/hijklmn,rest')],
      of('float', '0'),
      of('float', '-0'),
      [...of('integer', '1'), ...of('integer', '2')],
      [...of('integer', '2'), ...of('integer', '1')],
      // Columns keep their types: a number and a text that is written as it is need no two hashes.
      [...of('integer', '1'), text('3')],
      [text('3'), ...of('integer', '1')],
      of('integer', '1'),
      of('date', '1970-01-02'),
      [text('\u{1F600}')],
      of('integer', '9007199254740993'),
      of('integer', '9007199254740992'),
      of('float', '0.1'),
      of('float', '0.10000000000000002'),
      of('timestamp', '2026-01-02 03:04:05.000001'),
      of('timestamp', '2026-01-02 03:04:05.000002'),
      of('timestamptz', '2026-01-02T03:04:05.000001Z'),
      of('date', '2026-01-02'),
      of('boolean', 'true'),
      of('boolean', 'false'),
      of('json', '{"a": 1.5}'),
      of('json', '{"a": "1.5"}'),
    ];
    const hashes = await Promise.all(
      [...rows, ...rows].map(async (row) => {
        const [[hash]] = (await ask(sql`SELECT ${d().cast(d().rowHash(row), 'text')} AS v`)) as [[string]];
        return hash;
      }),
    );
    expect(hashes.slice(0, rows.length)).toEqual(hashes.slice(rows.length));
    expect(new Set(hashes).size).toBe(rows.length);
  });

  describe.each(['json', 'text'] as const)('of objects held as %s', (held) => {
    const object = (text: string | null) => d().cast(sql`${text}`, held);

    test('reads a property as text, whatever its name is', async () => {
      const names = ['plan', 'a.b', 'a/b', '~', 'x"y', "it's", '$', '0', '[0]', '*', '', 'ü', 'a b', '#-1'];
      const values = Object.fromEntries(names.map((name, at) => [name, `value ${at}`]));
      const json = object(JSON.stringify(values));
      for (const [name, wanted] of Object.entries(values))
        expect(await value(d().jsonText(json, name, held)), name).toBe(wanted);
    });

    test('reads numbers, booleans and objects as their text, and NULL where there is none', async () => {
      const json = object('{"n": 1.50, "b": true, "o": {"x": 1}, "none": null}');
      expect(Number(await value(d().jsonText(json, 'n', held)))).toBe(1.5);
      expect(await value(d().jsonText(json, 'b', held))).toBe('true');
      expect(JSON.parse((await value(d().jsonText(json, 'o', held))) as string)).toEqual({ x: 1 });
      expect(await value(d().jsonText(json, 'none', held))).toBeNull();
      expect(await value(d().jsonText(json, 'missing', held))).toBeNull();
      expect(await value(d().jsonText(object(null), 'n', held))).toBeNull();
    });

    test('lists the names of a column, each once', async () => {
      const rows = sql`(SELECT ${d().cast(sql`t`, held)} AS j FROM ${texts(['{"a": 1, "b.c": 2}', '{"a": null}', null])}) AS s`;
      const found = await ask(sql`SELECT ${nameSql('item')} FROM ${d().jsonNames(sql`j`, rows, held)} AS l`);
      expect(found.map(([item]) => String(item)).sort()).toEqual(['a', 'b.c']);
    });
  });

  test('takes two NULLs for the same, and NULL for nothing else', async () => {
    const sides = [sql`${'a'}`, sql`${'b'}`, sql`${null}`].map((each) => d().cast(each, 'text'));
    for (const [at, left] of sides.entries()) {
      for (const [other, right] of sides.entries()) {
        const condition = sql`CASE WHEN ${d().same(left, right)} THEN ${1n} ELSE ${0n} END`;
        expect(Number(await value(condition)), `${at} ${other}`).toBe(at === other ? 1 : 0);
      }
    }
    const booleans = [true, false, null].map((each) => d().cast(sql`${each}`, 'boolean'));
    const equal = booleans.map((left) => booleans.map((right) => d().same(left, right, 'boolean')));
    const [found] = await ask(
      sql`SELECT ${joinSql(equal.flat().map((each, at) => sql`CASE WHEN ${each} THEN ${1n} ELSE ${0n} END AS ${nameSql(`v${at}`)}`))}`,
    );
    expect(found!.map(Number)).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  test('writes booleans as "true" and "false", and reads those of texts', async () => {
    const boolean = (of: boolean | string | null) => d().cast(sql`${of}`, 'boolean');
    for (const [given, wanted] of [
      [true, 'true'],
      ['false', 'false'],
      [null, null],
    ] as const) {
      expect(await value(d().cast(boolean(given), 'text', 'boolean'))).toBe(wanted);
    }
    expect(await value(d().tryCast(sql`${'true'}`, 'boolean'))).toBe(true);
    expect(await value(d().tryCast(sql`${'false'}`, 'boolean'))).toBe(false);
    expect(await value(d().tryCast(sql`${''}`, 'boolean'))).toBeNull();
  });

  test('tries JSON of every kind, objects and lists alike', async () => {
    const isRead = async (text: string) => (await value(d().tryCast(sql`${text}`, 'json'))) !== null;
    expect([await isRead('{"a": 1}'), await isRead('[1, 2, 3]'), await isRead('{"a"')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('looks for text as it stands: % and _ mean themselves', async () => {
    const all = ['100% sure', '100x sure', 'a_b', 'axb', 'Straße', 'back\\slash', null];
    const found = async (condition: Sql) =>
      (await ask(sql`SELECT t FROM ${texts(all)} WHERE ${condition}`)).map(([t]) => String(t)).sort();
    expect(await found(d().contains(sql`t`, '% s'))).toEqual(['100% sure']);
    expect(await found(d().contains(sql`t`, '_'))).toEqual(['a_b']);
    expect(await found(d().contains(sql`t`, '\\'))).toEqual(['back\\slash']);
    expect(await found(d().contains(sql`t`, 'STRA'))).toEqual(['Straße']);
    expect(await found(d().contains(sql`t`, ''))).toHaveLength(6);
    expect(await found(d().startsWith(sql`t`, '100%'))).toEqual(['100% sure']);
    expect(await found(d().startsWith(sql`t`, 'a_'))).toEqual(['a_b']);
    expect(await found(d().startsWith(sql`t`, 'b'))).toEqual(['back\\slash']);
  });

  test('takes dates and timestamps for moments in UTC', async () => {
    const wanted = '2026-03-29T00:00:00.000000Z';
    const day = d().cast(sql`${'2026-03-29'}`, 'date');
    expect(await value(d().instant(day, 'date'))).toBe(wanted);
    const local = d().cast(sql`${'2026-03-29T00:00:00'}`, 'timestamp');
    expect(await value(d().instant(local, 'timestamp'))).toBe(wanted);
    const moment = d().cast(sql`${'2026-03-29T02:00:00+02:00'}`, 'timestamptz');
    expect(await value(d().instant(moment, 'timestamptz'))).toBe(wanted);
  });

  test('adds milliseconds to a moment, across changes of summer time as anywhere', async () => {
    const moment = d().cast(sql`${'2026-03-29T00:30:00Z'}`, 'timestamptz');
    expect(await value(d().addMs(moment, 3_600_000))).toBe('2026-03-29T01:30:00.000000Z');
    expect(await value(d().addMs(moment, -1))).toBe('2026-03-29T00:29:59.999000Z');
    expect(await value(d().addMs(moment, 400 * 86_400_000))).toBe('2027-05-03T00:30:00.000000Z');
  });

  test('aggregates in every way, over all rows, some, and none', async () => {
    const one = async (aggregation: Aggregation, from: Sql, where?: Sql) => {
      const measured = aggregation === 'PERCENTILE' ? { percentile: 0.25 } : {};
      const piece = d().aggregate({ aggregation, value: sql`v`, where, ...measured });
      const found = (await ask(sql`SELECT ${piece} AS v FROM ${from}`))[0]![0];
      return found === null ? null : Number(found);
    };
    const from = sql`(SELECT ${d().cast(sql`t`, 'float')} AS v FROM ${texts(['1', '2', '2', '4', '11', null])}) AS s`;
    const wanted: Record<Aggregation, [all: number, some: number, none: number | null]> = {
      COUNT: [5, 3, 0],
      COUNT_DISTINCT: [4, 2, 0],
      SUM: [20, 5, null],
      AVG: [4, 5 / 3, null],
      MIN: [1, 1, null],
      MAX: [11, 2, null],
      MEDIAN: [2, 2, null],
      PERCENTILE: [2, 1.5, null],
    };
    for (const aggregation of aggregations) {
      expect(
        [
          await one(aggregation, from),
          await one(aggregation, from, sql`v < ${3}`),
          await one(aggregation, from, sql`v > ${100}`),
        ],
        aggregation,
      ).toEqual(wanted[aggregation]);
    }
    const rows = d().aggregate({ aggregation: 'COUNT', value: null });
    expect(await ask(sql`SELECT ${rows} AS v FROM ${from}`)).toEqual([[6n]]);
  });

  test('sums and averages decimals and 64-bit integers without losing a digit', async () => {
    const from = (type: ValueType, values: string[]) =>
      sql`(SELECT ${d().cast(sql`t`, type)} AS v FROM ${texts(values)}) AS s`;
    const sum = d().aggregate({ aggregation: 'SUM', value: sql`v` });
    const cents = await ask(
      sql`SELECT ${sum} AS v FROM ${from('decimal', ['0.1', '0.2', '90071992547409.93'])}`,
    );
    expect(String(cents[0]![0])).toMatch(/^90071992547410\.230*$/);
    const large = ['9007199254740993', '2'];
    expect(String((await ask(sql`SELECT ${sum} AS v FROM ${from('integer', large)}`))[0]![0])).toBe(
      '9007199254740995',
    );
  });

  test('sets lists side by side, and makes no row of empty ones', async () => {
    const rows = (keys: string[], numbers: bigint[]) =>
      d().listsRows([
        { name: 'key', type: 'text', list: keys },
        { name: 'the n', type: 'integer', list: numbers },
      ]);
    const all = sql`SELECT l.${nameSql('key')}, l.${nameSql('the n')} FROM ${rows(["it's", 'b'], [1n, 9_007_199_254_740_993n])} AS l ORDER BY 2`;
    expect(await ask(all)).toEqual([
      ["it's", 1n],
      ['b', 9_007_199_254_740_993n],
    ]);
    expect(await ask(sql`SELECT l.${nameSql('key')} FROM ${rows([], [])} AS l`)).toEqual([]);
  });

  test('tells the bits of a number', async () => {
    const bits = [0, 1, 2, 59];
    const found = await ask(
      sql`SELECT ${joinSql(bits.map((bit) => d().hasBit(nameSql('n'), bit)))} FROM ${d().listsRows([
        { name: 'n', type: 'integer', list: [5n, 2n ** 59n] },
      ])} AS l ORDER BY l.${nameSql('n')}`,
    );
    expect(found).toEqual([
      [true, false, true, false],
      [false, false, false, true],
    ]);
  });

  test('adds months by the calendar', async () => {
    const moment = d().cast(sql`${'2026-01-31T12:00:00Z'}`, 'timestamptz');
    expect(await value(d().addMonths(moment, 1, 'timestamptz'))).toBe('2026-02-28T12:00:00.000000Z');
    expect(await value(d().addMonths(moment, -11, 'timestamptz'))).toBe('2025-02-28T12:00:00.000000Z');
    expect(await value(d().addMonths(moment, 25, 'timestamptz'))).toBe('2028-02-29T12:00:00.000000Z');
  });

  test('interpolates medians and percentiles of floats', async () => {
    const from = sql`(SELECT ${d().cast(sql`t`, 'float')} AS v FROM ${texts(['1.25', '1.50'])}) AS s`;
    const median = d().aggregate({ aggregation: 'MEDIAN', value: sql`v` });
    expect(Number((await ask(sql`SELECT ${median} AS v FROM ${from}`))[0]![0])).toBe(1.375);
  });

  test.each(['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York', 'Pacific/Apia'])(
    'cuts periods of every grain in %s, on days of summer time, leap days and turns of the year',
    async (zone) => {
      for (const moment of moments) {
        const aheadMs = clockOf(zone, moment) - moment;
        const ahead = zone === 'UTC' ? null : sql`${BigInt(aheadMs)}`;
        const types: [ValueType, string][] = [
          ['timestamptz', `${isoOf(moment)}Z`],
          ['timestamp', isoOf(moment)],
        ];
        const cases = grains.flatMap((grain) => types.map(([type, text]) => ({ grain, type, text })));
        const numbers = cases.map(
          ({ grain, type, text }, at) =>
            sql`${d().periodNumber(d().cast(sql`${text}`, type), type, grain, ahead)} AS ${nameSql(`n${at}`)}`,
        );
        const [row] = await ask(sql`SELECT ${joinSql(numbers)}`);
        for (const [at, { grain, text }] of cases.entries()) {
          const wanted = numberOf(grain, startOf(grain, moment + aheadMs), aheadMs);
          expect(Number(row![at]), `${grain} of ${text} in ${zone}`).toBe(wanted);
        }
      }
    },
  );
}

const hashedTypes = [
  'text',
  'integer',
  'float',
  'timestamp',
  'timestamptz',
  'date',
  'boolean',
  'json',
] as const;
