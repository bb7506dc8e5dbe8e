import { afterAll, beforeAll } from 'vitest';
import { type SnowflakeLab, openSnowflakeLab } from '../support/snowflake-lab.ts';
import { typesSuite } from './cloud-types.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());
const lab = () => opened.lab!;
const typesLab = () => ({ ...lab(), warehouse: lab().snowflake, database: 'WRITES' });

typesSuite('Snowflake', typesLab, {
  cases: [
    ['BOOLEAN', 'BOOLEAN', [true, false, null]],
    ['SMALLINT', 'NUMBER(5,0)', [-32768n, 32767n, null]],
    ['INTEGER', 'NUMBER(10,0)', [-2147483648n, 2147483647n]],
    ['BIGINT', 'NUMBER(19,0)', [-9223372036854775808n, 9223372036854775807n, 9007199254740993n]],
    ['DECIMAL(12,2)', 'NUMBER(12,2)', ['0.01', '-9999999999.99', '1.50']],
    ['DECIMAL(18,0)', 'NUMBER(18,0)', [999999999999999999n]],
    ['DECIMAL(38,0)', 'NUMBER(38,0)', ['99999999999999999999999999999999999999', -1n]],
    ['DECIMAL(38,38)', 'NUMBER(38,38)', ['0.00000000000000000000000000000000000001']],
    ['FLOAT', 'FLOAT', [0.5, 'NaN', '-Infinity']],
    ['DOUBLE', 'FLOAT', [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324, 'NaN', 'Infinity']],
    ['VARCHAR', 'VARCHAR(16777216)', ['', '  both ', `it's "quoted", 漢字 🦆`, 'line\n\t\\N', null, 'NULL']],
    ['UUID', 'VARCHAR(16777216)', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    ['DATE', 'DATE', ['2026-11-21', '0001-01-01', '9999-12-31', null]],
    ['TIME', 'TIME', ['00:00:00', '23:59:59.999999']],
    [
      'TIMESTAMP',
      'TIMESTAMP_NTZ',
      [
        '2026-11-21T10:20:30.123456Z',
        '1969-12-31T23:59:59.999999Z',
        '0001-01-01T00:00:00.000000Z',
        '9999-12-31T23:59:59.999999Z',
      ],
    ],
    [
      'TIMESTAMP WITH TIME ZONE',
      'TIMESTAMP_LTZ',
      ['2026-11-21T04:50:30.123456Z', '1883-11-18T12:00:00.000000Z'],
    ],
    ['INTERVAL', 'VARCHAR(16777216)', ['1 year 2 months -3 days 04:05:06.789', '00:00:00']],
    ['JSON', 'VARIANT', ['{"a": [1, 2.50, null], "n": 12345678901234567890}', 'null', '"text"', null]],
    ['BLOB', 'BINARY', ['AP8Q', '', null]],
    ['INTEGER[]', 'ARRAY', [[1, null, -3], [], null]],
    ['BIGINT[]', 'ARRAY', [['9007199254740993']]],
    ['VARCHAR[]', 'ARRAY', [['a,b', '"q"', null, '']]],
    ['DOUBLE[]', 'ARRAY', [[0.5, 'nan', null]]],
    ['BLOB[]', 'ARRAY', [['00FF']]],
    ['DATE[]', 'ARRAY', [['2026-01-02', 'infinity']]],
  ],
  texts: { UUID: 'Snowflake has no type for UUIDs', INTERVAL: 'Snowflake has no type for intervals' },
  misfits: [
    ['DATE', "'infinity'"],
    ['DATE', "'0044-03-15 (BC)'"],
    ['DATE', "'10000-01-01'"],
    ['TIMESTAMP', "'-infinity'"],
    ['TIMESTAMP', "'29000-01-01 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'infinity'"],
    ['TIME', "'24:00:00'"],
  ],
});
