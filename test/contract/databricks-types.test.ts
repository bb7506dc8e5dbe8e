import { afterAll, beforeAll } from 'vitest';
import { type DatabricksLab, openDatabricksLab } from '../support/databricks-lab.ts';
import { typesSuite } from './cloud-types.suite.ts';

const opened: { lab?: DatabricksLab } = {};
beforeAll(async () => {
  opened.lab = await openDatabricksLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());
const lab = () => opened.lab!;
const typesLab = () => ({ ...lab(), warehouse: lab().databricks, database: 'writes' });

typesSuite('Databricks', typesLab, {
  cases: [
    ['BOOLEAN', 'BOOLEAN', [true, false, null]],
    ['SMALLINT', 'SMALLINT', [-32768, 32767, null]],
    ['INTEGER', 'INT', [-2147483648, 2147483647]],
    ['BIGINT', 'BIGINT', [-9223372036854775808n, 9223372036854775807n, 9007199254740993n]],
    ['DECIMAL(12,2)', 'DECIMAL(12,2)', ['0.01', '-9999999999.99', '1.50']],
    ['DECIMAL(18,0)', 'DECIMAL(18,0)', ['999999999999999999']],
    ['DECIMAL(38,0)', 'DECIMAL(38,0)', ['99999999999999999999999999999999999999', '-1']],
    ['DECIMAL(38,38)', 'DECIMAL(38,38)', ['0.00000000000000000000000000000000000001']],
    ['FLOAT', 'FLOAT', [0.5, 'NaN', '-Infinity']],
    ['DOUBLE', 'DOUBLE', [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324, 'NaN', 'Infinity']],
    ['VARCHAR', 'STRING', ['', '  both ', `it's "quoted", 漢字 🦆`, 'line\n\t\\N', null, 'NULL']],
    ['UUID', 'STRING', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    ['DATE', 'DATE', ['2026-11-21', '0001-01-01', '9999-12-31', null]],
    ['TIME', 'STRING', ['00:00:00', '23:59:59.999999']],
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
    ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', ['2026-11-21T04:50:30.123456Z', '1883-11-18T12:00:00.000000Z']],
    ['INTERVAL', 'STRING', ['1 year 2 months -3 days 04:05:06.789', '00:00:00']],
    ['JSON', 'VARIANT', ['{"a":[1,2.5,null],"n":12345678901234567890}', 'null', '"text"', null]],
    ['BLOB', 'BINARY', ['AP8Q', '', null]],
    ['INTEGER[]', 'ARRAY<INT>', [[1, null, -3], [], null]],
    ['BIGINT[]', 'ARRAY<BIGINT>', [['9007199254740993']]],
    ['VARCHAR[]', 'ARRAY<STRING>', [['a,b', '"q"', null, '']]],
    ['DOUBLE[]', 'ARRAY<DOUBLE>', [[0.5, null]], ['[0.5::DOUBLE, NULL]']],
    ['INTEGER[][]', 'ARRAY<ARRAY<INT>>', [[[1], [], null]]],
    ['DATE[]', 'ARRAY<STRING>', [['2026-01-02', 'infinity']]],
  ],
  texts: {
    UUID: 'Databricks has no type for UUIDs',
    TIME: 'Databricks has no type for times of day',
    INTERVAL: 'Databricks has no type for intervals of months and days',
  },
  misfits: [
    ['DATE', "'infinity'"],
    ['DATE', "'0044-03-15 (BC)'"],
    ['DATE', "'10000-01-01'"],
    ['TIMESTAMP', "'-infinity'"],
    ['TIMESTAMP', "'29000-01-01 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'infinity'"],
  ],
});
