import { afterAll, describe, expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { originOf } from '../support/move-stream.ts';
import { openReverseLab, type ReverseEngine, stopReverseLabs } from '../support/reverse-lab.ts';

const engines = ['DuckDB', 'PostgreSQL', 'Snowflake'] as const satisfies ReverseEngine[];

afterAll(stopReverseLabs);

/** Values of each type, and the type that they arrive as. */
const typed: Record<(typeof engines)[number], Record<string, [values: string[], arrives: string]>> = {
  DuckDB: {
    i8: [['(-128)::TINYINT', '127::TINYINT'], 'SMALLINT'],
    u64: [['18446744073709551615::UBIGINT'], 'DECIMAL(20,0)'],
    huge: [['170141183460469231731687303715884105727::HUGEINT'], 'VARCHAR'],
    dec: [["'0.00000000000000000000000000000000000001'::DECIMAL(38,38)"], 'DECIMAL(38,38)'],
    f64: [["'nan'::DOUBLE", "'-inf'::DOUBLE", '0.1::DOUBLE + 0.2::DOUBLE', '5e-324::DOUBLE'], 'DOUBLE'],
    f32: [['0.1::FLOAT'], 'FLOAT'],
    txt: [["''", `'tab	"quote" \\N 🦆'`, 'chr(10) || chr(13) || chr(92)'], 'VARCHAR'],
    day: [["DATE '0044-03-15 (BC)'", "DATE 'infinity'"], 'DATE'],
    clock: [["TIME '23:59:59.999999'"], 'TIME'],
    ts: [["TIMESTAMP '1969-12-31 23:59:59.999999'", "TIMESTAMP '-infinity'"], 'TIMESTAMP'],
    tz: [
      ["TIMESTAMPTZ '2026-01-02 03:04:05.000001+05'", "TIMESTAMPTZ 'infinity'"],
      'TIMESTAMP WITH TIME ZONE',
    ],
    gap: [["INTERVAL '14 months -3 days 0.000007 seconds'"], 'INTERVAL'],
    id: [["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID"], 'UUID'],
    doc: [[`'{"n": 12345678901234567890.10}'::JSON`], 'JSON'],
    box: [["{'a': 1, 'b': [NULL, 'x']}"], 'JSON'],
    raw: [["'\\x00\\xFF\\x5C'::BLOB", "''::BLOB"], 'BLOB'],
    list: [['[1, NULL, 3]', '[]'], 'INTEGER[]'],
    mood: [["'glad'::ENUM('sad', 'glad')"], 'VARCHAR'],
  },
  PostgreSQL: {
    i16: [['32767::int2'], 'SMALLINT'],
    dec: [['0.01::numeric(12,2)', '(-9999999999.99)::numeric(12,2)'], 'DECIMAL(12,2)'],
    free: [["'1e100'::numeric"], 'VARCHAR'],
    f64: [["'NaN'::float8", '0.1::float8 + 0.2::float8'], 'DOUBLE'],
    txt: [["''", `'tab	"quote" \\N 🦆' || chr(10)`], 'VARCHAR'],
    vary: [["'x'::varchar(9)"], 'VARCHAR'],
    ts: [["timestamp '1969-12-31 23:59:59.999999'"], 'TIMESTAMP'],
    tz: [["timestamptz '2026-01-02 03:04:05.000001+05'"], 'TIMESTAMP WITH TIME ZONE'],
    gap: [["interval '14 months -3 days 0.000007 seconds'"], 'INTERVAL'],
    id: [["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid"], 'UUID'],
    doc: [[`'{"n": 12345678901234567890.10}'::jsonb`], 'JSON'],
    raw: [["'\\x00ff5c'::bytea"], 'BLOB'],
    list: [['ARRAY[1, NULL, 3]'], 'INTEGER[]'],
    net: [["'10.0.0.0/8'::cidr"], 'VARCHAR'],
  },
  Snowflake: {
    i64: [['9007199254740993', '-9223372036854775808'], 'BIGINT'],
    dec: [['12345678901234567890.12::NUMBER(38, 2)'], 'DECIMAL(38,2)'],
    f64: [["'inf'::FLOAT", '0.1::FLOAT + 0.2::FLOAT'], 'DOUBLE'],
    txt: [["''", "'it''s 🦆'"], 'VARCHAR'],
    day: [["'0044-03-15'::DATE"], 'DATE'],
    ts: [["'1969-12-31 23:59:59.999'::TIMESTAMP_NTZ"], 'TIMESTAMP'],
    tz: [["'2026-01-02 03:04:05+05'::TIMESTAMP_LTZ"], 'TIMESTAMP WITH TIME ZONE'],
    doc: [[`PARSE_JSON('{"n": 12345678901234567890}')`], 'JSON'],
    raw: [["TO_BINARY('00FF5C', 'HEX')"], 'BLOB'],
    yes: [['TRUE', 'FALSE'], 'BOOLEAN'],
  },
};

describe.each(engines)('values of every type of %s', (engine) => {
  test('arrive exactly, as a table, as a SELECT and as changes, and NULL arrives as NULL', async () => {
    await using lab = await openReverseLab(engine);
    const cases = Object.entries(typed[engine]);
    const count = Math.max(...cases.map(([, [values]]) => values.length)) + 1;
    const rows = Array.from({ length: count }, (_, at) => {
      const values = cases.map(
        ([name, [all]]) => `${all[at] ?? `(SELECT ${all[0]} WHERE 1 = 0)`} AS "${name}"`,
      );
      return `SELECT CAST(${at + 1} AS BIGINT) AS "key", ${values.join(', ')}`;
    });
    await lab.fill('types', rows.join(' UNION ALL '));
    await lab.move('types', { primaryKey: ['key'] });
    const config = { ...lab.config, streams: [{ name: 'chosen', sql: 'SELECT * FROM "src"."types"' }] };
    await lab.move('chosen', { namespace: null }, { config });
    const compared: Partial<StreamSelection> = {
      syncMode: 'INCREMENTAL',
      writeMode: 'UPSERT',
      primaryKey: ['key'],
      destinationTable: 'compared',
      difference: { mirrorRemovals: true },
    };
    const origin = originOf();
    await lab.move('types', compared, { origin });
    const described = await lab.mover.rows(
      `SELECT column_name, data_type FROM duckdb_columns()
       WHERE schema_name = 'raw' AND table_name = 'types' ORDER BY column_index`,
    );
    expect(described.slice(1)).toEqual(cases.map(([name, [, arrives]]) => [name, arrives]));
    const copy = await lab.mover.rows(`SELECT * FROM raw."types" ORDER BY "key"`);
    // As answers of both engines hold them.
    const asked = await lab.warehouse.run({ sql: 'SELECT * FROM "src"."types" ORDER BY "key"' });
    const plain = (values: unknown[][]) => values.map((row) => row.map(normal));
    if (engine !== 'PostgreSQL') expect(plain(copy)).toEqual(plain(asked.rows));
    for (const table of ['chosen', 'compared']) {
      const others = await lab.mover.rows(`SELECT * FROM raw."${table}" ORDER BY "key"`);
      expect(others).toEqual(copy);
    }
    expect(await lab.move('types', compared, { origin: originOf(origin.jobId) })).toMatchObject({ parts: 0 });
  });
});

/** JSON without its blanks, and integers as text: engines write them in their own way. */
function normal(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return typeof value === 'string' && /^[{[]/.test(value) ? value.replaceAll(/\s/g, '') : value;
}
