import { expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { originOf } from '../support/move-stream.ts';
import { openReverseLab } from '../support/reverse-lab.ts';

/** Two values or more of each type, of which some are easily taken for one. */
const keys = {
  DuckDB: {
    f: ["'nan'::DOUBLE", '-0.0::DOUBLE', "'inf'::DOUBLE"],
    f4: ['0.1::FLOAT', "'nan'::FLOAT"],
    uuid: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", "'00000000-0000-0000-0000-000000000000'::UUID"],
    enum: ["'glad'::ENUM('sad', 'glad')", "'sad'::ENUM('sad', 'glad')"],
    huge: ['170141183460469231731687303715884105727::HUGEINT', '1::HUGEINT'],
    blob: ["'\\x00\\xFF'::BLOB", "''::BLOB"],
    tz: ["TIMESTAMPTZ '2026-01-02 03:04:05.000001+05'", "TIMESTAMPTZ 'infinity'"],
    dec: ["'0.00000000000000000000000000000000000001'::DECIMAL(38,38)", '0::DECIMAL(38,38)'],
    gap: ["INTERVAL '14 months -3 days 0.000007 seconds'", "INTERVAL '30 days'"],
    time: ["TIME '24:00:00'", "TIME '00:00:00'"],
    bool: ['true', 'false'],
    date: ["DATE 'infinity'", "DATE '0044-03-15 (BC)'"],
    u64: ['18446744073709551615::UBIGINT', '0::UBIGINT'],
    txt: ["'a'", "'A'", "'a '", "''"],
    ns: ["'2020-01-01 00:00:00.123456789'::TIMESTAMP_NS", "'2020-01-01 00:00:00.123456788'::TIMESTAMP_NS"],
    list: ['[1,2]', '[2,1]'],
    json: [`'{"a":1}'::JSON`, `'{"a": 1}'::JSON`],
    bit: ["'101'::BIT", "'0101'::BIT"],
    ttz: ["'01:02:03+02:00'::TIMETZ", "'00:02:03+01:00'::TIMETZ"],
  },
  PostgreSQL: {
    f: ["'NaN'::float8", "'-0'::float8"],
    bp: ["'a'::char(3)", "'ab'::char(3)"],
    dec: ['1.0::numeric', '1.00::numeric'],
    gap: ["interval '1 month'", "interval '29 days'"],
    uuid: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid"],
    by: ["'\\x00'::bytea", "''::bytea"],
    txt: ["'a'", "'A'", "'a '"],
    net: ["'10.0.0.0/8'::cidr", "'10.0.0.0/9'::cidr"],
    arr: ['ARRAY[1,2]', 'ARRAY[2,1]'],
    ttz: ["'01:02:03+02'::timetz", "'00:02:03+01'::timetz"],
    inf: ["'infinity'::timestamptz", "'-infinity'::timestamptz"],
    name: ["'x'::name"],
    bit: ["B'101'", "B'001'"],
  },
} as const;

const by: Partial<StreamSelection> = {
  syncMode: 'INCREMENTAL',
  writeMode: 'UPSERT',
  primaryKey: ['id'],
  difference: { mirrorRemovals: true },
};

test.each(Object.keys(keys) as (keyof typeof keys)[])(
  'a key of %s may be of any type that knows equality, its odd values too',
  async (engine) => {
    await using lab = await openReverseLab(engine);
    for (const [table, values] of Object.entries<readonly string[]>(keys[engine])) {
      const fill = (value: number, of: readonly string[]) =>
        lab.fill(table, of.map((key) => `SELECT ${key} AS "id", ${value} AS "v"`).join(' UNION ALL '));
      const origin = originOf();
      const found = async () => {
        const { changes } = await lab.move(table, by, { origin: originOf(origin.jobId) });
        return Object.values(changes!);
      };
      const count = BigInt(values.length);
      await fill(1, values);
      expect(await found(), table).toEqual([count, 0n, 0n]);
      expect(await found(), table).toEqual([0n, 0n, 0n]);
      await fill(2, values);
      expect(await found(), table).toEqual([0n, count, 0n]);
      expect((await lab.rows(table)).map(([, value]) => value)).toEqual(values.map(() => 2));
      await fill(2, values.slice(0, 1));
      expect(await found(), table).toEqual([0n, 0n, count - 1n]);
      expect(await lab.rows(table)).toHaveLength(1);
    }
  },
);
