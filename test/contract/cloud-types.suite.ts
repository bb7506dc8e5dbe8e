import { beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { ConnectorContext, StreamPlan, StreamSelection, WriterNotes } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { nameSql, toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';

export interface TypesLab {
  warehouse: Warehouse;
  database: string;
  context(signal?: AbortSignal): ConnectorContext;
}

/** DuckDB's type, the engine's, what an answer holds, and the values where they are not those below. */
export type TypeCase = readonly [type: string, engine: string, held: unknown[], values?: readonly string[]];

export interface EngineTypes {
  cases: readonly TypeCase[];
  /** DuckDB's types that become text, and what is said of it. */
  texts: Record<string, string>;
  /** Where the types stand that are compared: in an answer, unless that says less than the catalog. */
  typesOf?: 'catalog';
  /** Types with a value that the engine cannot hold. */
  misfits: readonly (readonly [type: string, value: string])[];
}

const never = new AbortController().signal;

/** As DuckDB's SQL. */
const valuesOf: Record<string, readonly string[]> = {
  BOOLEAN: ['true', 'false', 'NULL'],
  SMALLINT: ['-32768', '32767', 'NULL'],
  INTEGER: ['-2147483648', '2147483647'],
  BIGINT: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  'DECIMAL(12,2)': ['0.01', '-9999999999.99', '1.5'],
  'DECIMAL(18,0)': ['999999999999999999'],
  'DECIMAL(38,0)': ["'99999999999999999999999999999999999999'", '-1'],
  'DECIMAL(38,38)': ["'0.00000000000000000000000000000000000001'"],
  FLOAT: ['0.5', "'NaN'", "'-Infinity'"],
  DOUBLE: ['0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', "'NaN'", "'Infinity'"],
  VARCHAR: [
    "''",
    "'  both '",
    `'it''s "quoted", 漢字 🦆'`,
    "'line' || chr(10) || chr(9) || chr(92) || 'N'",
    'NULL',
    "'NULL'",
  ],
  UUID: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
  DATE: ["'2026-11-21'", "'0001-01-01'", "'9999-12-31'", 'NULL'],
  TIME: ["'00:00:00'", "'23:59:59.999999'"],
  TIMESTAMP: [
    "'2026-11-21 10:20:30.123456'",
    "'1969-12-31 23:59:59.999999'",
    "'0001-01-01 00:00:00'",
    "'9999-12-31 23:59:59.999999'",
  ],
  'TIMESTAMP WITH TIME ZONE': ["'2026-11-21 10:20:30.123456+05:30'", "'1883-11-18 12:00:00+00'"],
  INTERVAL: ["'1 year 2 months -3 days 04:05:06.789'", "'0 days'"],
  JSON: [`'{"a": [1, 2.50, null], "n": 12345678901234567890}'`, "'null'", `'"text"'`, 'NULL'],
  BLOB: ["'\\x00\\xFF\\x10'", "''", 'NULL'],
  'INTEGER[]': ['[1, NULL, -3]', '[]', 'NULL'],
  'BIGINT[]': ['[9007199254740993]'],
  'VARCHAR[]': [`['a,b', '"q"', NULL, '']`],
  'DOUBLE[]': ["[0.5::DOUBLE, 'NaN'::DOUBLE, NULL]"],
  'BLOB[]': ["['\\x00\\xFF'::BLOB]"],
  'DATE[]': ["['2026-01-02', 'infinity']"],
  'INTEGER[][]': ['[[1], [], NULL]'],
};

/** Streams of one column `v`, and what has arrived of them. */
export function columnsIn(lab: () => TypesLab) {
  const nameOf = (table: string) =>
    toStatement(nameSql(lab().database, 'raw', table), lab().warehouse.dialect).sql;

  /** Writes rows of these values, each as DuckDB's SQL, and gives how many were written. */
  async function write(
    type: string,
    values: readonly string[],
    more: Partial<StreamSelection> = {},
    ties: StreamPlan['ties'] = null,
  ): Promise<bigint> {
    await using session = await datastoreDestination.open({}, lab().context());
    await using writer = await session.stream(originOf(), selectionOf('types', more));
    await writer.begin(columnsOf({ id: 'INTEGER', v: type }), false);
    const rows = values.map((value, at) => `(${at}, CAST(${value} AS ${type}))`);
    const scan = `SELECT CAST(id AS INTEGER) AS id, v FROM (VALUES ${rows.join(', ')}) t (id, v)`;
    await writer.stage(partOf(scan), 'p', never, () => undefined);
    return (await writer.publish(null, ties)).rowsWritten;
  }

  async function arrived(table: string): Promise<unknown[]> {
    const { warehouse } = lab();
    const [v, id] = ['v', 'id'].map((name) => warehouse.dialect.quoteName(name));
    return (await warehouse.run({ sql: `SELECT ${v} FROM ${nameOf(table)} ORDER BY ${id}` })).rows.flat();
  }
  return { nameOf, write, arrived };
}

/** Every type of a stream, on its way through a file into a cloud's engine and back. */
export function typesSuite(name: string, lab: () => TypesLab, engine: EngineTypes): void {
  const { nameOf, write, arrived } = columnsIn(lab);
  const cases = engine.cases.map(([type, is, held, values = valuesOf[type]!]) => ({
    type,
    is,
    held,
    values,
  }));

  /** Rows of all cases side by side: NULL where a case has no more values. */
  function everything(): string {
    const count = Math.max(...cases.map(({ values }) => values.length));
    const rows = Array.from({ length: count }, (_, row) => {
      const values = cases.map(({ type, values: given }) => `CAST(${given[row] ?? 'NULL'} AS ${type})`);
      return `SELECT CAST(${row} AS INTEGER) AS id, ${values.map((value, at) => `${value} AS c${at}`).join(', ')}`;
    });
    return rows.join(' UNION ALL ');
  }

  describe(`a type of a stream on ${name}`, () => {
    const notes: WriterNotes[] = [];
    const found: { rows: unknown[][]; types: string[] } = { rows: [], types: [] };
    beforeAll(async () => {
      const types = Object.fromEntries(cases.map(({ type }, at) => [`c${at}`, type]));
      const { jobId } = originOf();
      for (const writeMode of ['OVERWRITE', 'APPEND'] as const) {
        await using session = await datastoreDestination.open({}, lab().context());
        await using writer = await session.stream(originOf(jobId), selectionOf('everything', { writeMode }));
        notes.push(await writer.begin(columnsOf({ id: 'INTEGER', ...types }), false));
        await writer.stage(partOf(everything()), 'p', never, () => undefined);
        await writer.publish(null, null);
      }
      const { warehouse, database } = lab();
      const id = warehouse.dialect.quoteName('id');
      const sql = `SELECT * FROM ${nameOf('everything')} ORDER BY ${id}`;
      const { rows, columns } = await warehouse.run({ sql });
      const [table] = await warehouse.tables([{ database, schema: 'raw', name: 'everything' }]);
      const described = engine.typesOf === 'catalog' ? table!.columns : columns;
      Object.assign(found, { rows, types: described.map(({ dataType }) => dataType) });
    });

    test.each(cases.map(({ type }, at) => [type, at] as const))('%s arrives exactly', (_type, at) => {
      const { values, is, held } = cases[at]!;
      expect(found.types[at + 1]).toBe(is);
      // Each row came twice.
      const column = found.rows.filter((_row, of) => of % 2 === 0).map((row) => row[at + 1]);
      expect(column.slice(0, values.length)).toEqual(held);
    });

    test(`becomes text with a warning where ${name} has none, and is no change to the next sync`, () => {
      const said = cases.flatMap(({ type }, at) =>
        engine.texts[type] === undefined
          ? []
          : [`The column "c${at}" is written as text: ${engine.texts[type]}.`],
      );
      expect(said).toHaveLength(Object.keys(engine.texts).length);
      expect(notes.map(({ warnings }) => warnings)).toEqual([said, said]);
      expect(notes.flatMap(({ changes }) => changes)).toEqual([]);
    });

    test.each(engine.misfits)(
      `%s that ${name} cannot hold, %s, makes the column text`,
      async (type, value) => {
        await expect(write(type, ['NULL', value], { destinationTable: 'odd' })).rejects.toMatchObject({
          name: 'ColumnMisfit',
          column: 'v',
        });
      },
    );

    test.each([
      ['DATE', "'2026-01-02'", '2026-01-02'],
      ['TIMESTAMP', "'2026-01-02 03:04:00'", '2026-01-02 03:04:00'],
      ['TIMESTAMP', "'2026-01-02 03:04:05.5'", '2026-01-02 03:04:05.5'],
      ['TIMESTAMP WITH TIME ZONE', "'2026-01-02 03:04:05.25+00'", '2026-01-02 03:04:05.25+00'],
      ['INTEGER', '7', '7'],
      ['BOOLEAN', 'true', 'true'],
    ])(
      'a table’s column of %s becomes text as DuckDB writes it, when later rows come as text',
      async (type, value, text) => {
        const turns = { destinationTable: `turns_${newId().slice(-12)}`, writeMode: 'APPEND' } as const;
        await write(type, [value], turns);
        await using session = await datastoreDestination.open({}, lab().context());
        await using writer = await session.stream(originOf(), selectionOf('types', turns));
        const [id, v] = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });
        const { changes } = await writer.begin([id!, { ...v!, asTextBecause: 'a test says so' }], false);
        expect(changes).toEqual([expect.stringContaining('to text')]);
        await writer.stage(partOf(`SELECT 1 AS id, 'odd' AS v`), 'p', never, () => undefined);
        await writer.publish(null, null);
        expect(await arrived(turns.destinationTable)).toEqual([text, 'odd']);
      },
    );
  });
}
