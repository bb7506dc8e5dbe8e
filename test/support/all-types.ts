import type { SourceDatabase } from './source-database.ts';

const awkwardTexts = [
  'plain',
  '',
  ' leading and trailing ',
  'comma, semicolon; pipe|',
  'double "quotes" and \'single\' ones',
  'line\nfeed\r\nand return\r',
  'tab\tvertical\vform\fback\b',
  'back\\slash \\n \\t \\N \\\\ \\',
  '\\N',
  '\\.',
  'NULL',
  'null',
  'Ünïcødé 漢字 🦆 e\u0301 \u200b',
  '\u0001\u007f',
  '{"json": "like"}',
  '# comment',
];

/** Each type: how PostgreSQL writes it, values (SQL), what it arrives as, and how both sides write a value to compare. */
export interface TypeCase {
  values: string[];
  arrives: string;
  postgres?: string;
  duckDb?: string;
  normal?: (text: string) => string;
  because?: RegExp;
}

const floats = (text: string) =>
  ({ inf: 'Infinity', '-inf': '-Infinity', nan: 'NaN' })[text] ?? String(Number(text));
const christ = (text: string) => text.replace(/^(\S+) \(BC\)(.*)$/, '$1$2 BC');
const zero = (text: string) => text.replace(/^(-?)\./, (_, sign: string) => `${sign}0.`);
const reparsed = (text: string) => JSON.stringify(JSON.parse(text));
const lower = (text: string) => text.toLowerCase();
const array = { postgres: 'to_json(v::text[])::text', duckDb: 'to_json(v::VARCHAR[])', normal: reparsed };
const list = (values: string[], arrives: string): TypeCase => ({ values, arrives, ...array });

/** Of every type that PostgreSQL has. */
export const typeCases: Record<string, TypeCase> = {
  boolean: { values: ['true', 'false'], arrives: 'boolean' },
  int2: { values: ['-32768', '0', '32767'], arrives: 'int16' },
  int4: { values: ['-2147483648', '2147483647'], arrives: 'int32' },
  int8: { values: ["'-9223372036854775808'", '9223372036854775807', '9007199254740993'], arrives: 'int64' },
  'numeric(12,2)': { values: ['0.01', '-9999999999.99', '1.5', '100'], arrives: 'decimal(12,2)' },
  'numeric(38,0)': { values: ["'99999999999999999999999999999999999999'", '-1'], arrives: 'decimal(38,0)' },
  'numeric(38,38)': {
    values: ["'0.00000000000000000000000000000000000001'"],
    arrives: 'decimal(38,38)',
    normal: zero,
  },
  'numeric(5,-2)': { values: ['12345', '-99900'], arrives: 'decimal(7,0)' },
  'numeric(2,5)': { values: ['0.00012'], arrives: 'decimal(5,5)', normal: zero },
  'numeric(39,1)': {
    values: ["'12345678901234567890123456789012345678.9'"],
    arrives: 'text',
    because: /38 digits/,
  },
  numeric: {
    values: ["'1.10'", "'NaN'", "'1e500'::numeric", "'Infinity'"],
    arrives: 'text',
    because: /without precision/,
  },
  float4: {
    values: ["'0.1'", "'NaN'", "'Infinity'", "'-Infinity'", '3.4028235e38', '1e-45'],
    arrives: 'float32',
    normal: floats,
  },
  float8: {
    values: [
      '0.1',
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      '1.7976931348623157e308',
      '5e-324',
      '0.30000000000000004',
    ],
    arrives: 'float64',
    normal: floats,
  },
  text: { values: awkwardTexts.map((text) => quoted(text)), arrives: 'text' },
  'varchar(40)': { values: ["''", "'ab '"], arrives: 'text' },
  'char(5)': { values: ["'ab'"], arrives: 'text', postgres: 'rpad(v::text, 5)' },
  name: { values: ["'pg_class'"], arrives: 'text' },
  uuid: {
    values: [
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
      "'00000000-0000-0000-0000-000000000000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ],
    arrives: 'uuid',
  },
  date: {
    values: [
      "'2026-11-21'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 BC'",
      "'4713-01-01 BC'",
      "'0001-01-01'",
      "'10000-01-01'",
      "'5874897-12-31'",
    ],
    arrives: 'date',
    normal: christ,
  },
  time: { values: ["'00:00:00'", "'23:59:59.999999'", "'24:00:00'"], arrives: 'time' },
  timetz: { values: ["'12:34:56.789+02'"], arrives: 'text', because: /timetz/ },
  timestamp: {
    values: [
      "'2026-11-21 10:20:30.123456'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 01:02:03.5 BC'",
      "'1969-12-31 23:59:59.999999'",
      "'29000-01-01 00:00:00'",
    ],
    arrives: 'timestamp',
    normal: christ,
  },
  timestamptz: {
    values: [
      "'2026-11-21 10:20:30.123456+05:30'",
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 01:02:03+00 BC'",
      "'1883-11-18 12:00:00 America/New_York'",
    ],
    arrives: 'timestamptz',
    normal: christ,
  },
  interval: {
    values: [
      "'1 year 2 mons -3 days 04:05:06.789'",
      "'-1 day +00:00:00.000001'",
      "'0'",
      "'-100 years'",
      "'2147483647 days'",
    ],
    arrives: 'interval',
    postgres:
      "(extract(year FROM v) * 12 + extract(month FROM v))::bigint || ' ' || extract(day FROM v)::bigint || ' ' || (extract(hour FROM v) * 3600000000 + extract(minute FROM v) * 60000000 + extract(microseconds FROM v))::bigint",
    duckDb:
      "(datepart('year', v) * 12 + datepart('month', v)) || ' ' || datepart('day', v) || ' ' || (datepart('hour', v) * 3600000000 + datepart('minute', v) * 60000000 + datepart('microsecond', v))",
  },
  json: {
    values: [
      quoted('{"a": [1, 2.50, null], "b": "x\\n\\\\y", "a": 1e400}'),
      "'null'",
      '\'"text"\'',
      quoted('{ "spaced" :  1 }'),
    ],
    arrives: 'json',
  },
  jsonb: {
    values: [
      quoted('{"a": {"b": "quote \\" backslash \\\\ tab \\t"}, "n": 123456789012345678901234567890.10}'),
    ],
    arrives: 'json',
  },
  bytea: {
    values: ["'\\x00ff10'", "''", "'\\x5c0a09'"],
    arrives: 'bytes',
    postgres: "encode(v, 'hex')",
    duckDb: 'hex(v)',
    normal: lower,
  },
  xml: { values: ['\'<a b="c">d</a>\''], arrives: 'text' },
  'int4[]': list(["'{1,NULL,-3}'", "'{}'"], 'int32[]'),
  'int8[]': list(["'{9007199254740993}'"], 'int64[]'),
  'text[]': list([`ARRAY[${awkwardTexts.map((text) => quoted(text)).join(', ')}, NULL]`, "'{}'"], 'text[]'),
  'numeric(10,2)[]': list(["'{1.50,-0.01}'"], 'decimal(10,2)[]'),
  'boolean[]': list(["'{t,f,NULL}'"], 'boolean[]'),
  'uuid[]': list(["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"], 'uuid[]'),
  'date[]': list(["'{2026-01-02,infinity}'"], 'date[]'),
  'timestamptz[]': list(["'{2026-01-02 03:04:05.678901+00}'"], 'timestamptz[]'),
  'mood[]': list(['\'{sad,"very happy"}\''], 'text[]'),
  'jsonb[]': { values: [`ARRAY['{"a": 1}'::jsonb]`], arrives: 'text', because: /jsonb\[\]/ },
  mood: { values: ["'sad'", "'very happy'"], arrives: 'text' },
  positive: { values: ['1', '2147483647'], arrives: 'int32' },
  price: { values: ['0.05', '-12345678.99'], arrives: 'decimal(10,2)', normal: zero },
  oid: { values: ["'4294967295'"], arrives: 'int64' },
  money: { values: ["'12.34'"], arrives: 'text', because: /money/ },
  inet: {
    values: ["'192.168.0.1/24'", "'::1'"],
    arrives: 'text',
    because: /inet/,
    postgres: "nullif(concat(v), '')",
  },
  cidr: { values: ["'10.0.0.0/8'"], arrives: 'text', because: /cidr/ },
  macaddr: { values: ["'08:00:2b:01:02:03'"], arrives: 'text', because: /macaddr/ },
  'bit(4)': { values: ["'1010'"], arrives: 'text', because: /bit/ },
  int4range: { values: ["'[1,10)'", "'empty'"], arrives: 'text', because: /int4range/ },
  tstzrange: { values: ["'[2026-01-01 00:00:00+00,)'"], arrives: 'text', because: /tstzrange/ },
  tsvector: { values: ["'a:1 fat:2 cat:3'"], arrives: 'text', because: /tsvector/ },
  point: { values: ["'(1.5,-2)'"], arrives: 'text', because: /point/ },
  pair: { values: ["ROW(1, 'a,\"b')"], arrives: 'text', because: /pair/ },
};

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The column of the type at that place among the cases. */
export const allTypesColumn = (at: number): string => `c${at}`;

/** Makes "everything": a column a type, its values one below the other, and a row of NULLs at the end. */
export async function makeAllTypes(database: SourceDatabase): Promise<void> {
  const names = Object.keys(typeCases);
  await database.sql(
    `CREATE TYPE mood AS ENUM ('sad', 'very happy'); CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
     CREATE DOMAIN amount AS numeric(10,2); CREATE DOMAIN price AS amount; CREATE TYPE pair AS (a int4, b text)`,
  );
  await database.sql(
    `CREATE TABLE everything (id int4, ${names.map((name, at) => `${allTypesColumn(at)} ${name}`).join(', ')})`,
  );
  const rows = Math.max(...Object.values(typeCases).map(({ values }) => values.length));
  for (let row = 0; row <= rows; row += 1) {
    const values = names.map((name) => {
      const value = typeCases[name]!.values[row];
      return value === undefined ? 'NULL' : `CAST(${value} AS ${name})`;
    });
    await database.sql(`INSERT INTO everything VALUES (${[row, ...values].join(', ')})`);
  }
}
