import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { columnTypeOf } from '#connectors/column-type.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import { allTypesColumn, makeAllTypes, typeCases } from '../support/all-types.ts';
import { moveStream, originOf, selectionOf } from '../support/move-stream.ts';
import { openPostgresLab, type PostgresLab } from '../support/postgres-lab.ts';
import { openSourceDatabase, type SourceDatabase } from '../support/source-database.ts';
import { partOf } from '../support/made-parts.ts';

let lab: PostgresLab;
beforeAll(async () => {
  lab = await openPostgresLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe('a table of all types, from PostgreSQL to a PostgreSQL datastore', () => {
  let database: SourceDatabase;
  beforeAll(async () => {
    database = await openSourceDatabase();
    await makeAllTypes(database);
    const mover = { ...database.mover, context: lab.context };
    await moveStream(mover, {
      source: postgresSource,
      sourceConfig: database.config,
      destination: datastoreDestination,
      destinationConfig: {},
      origin: originOf(),
      selection: selectionOf('everything', { namespace: 'public' }),
    });
  }, 60_000);
  afterAll(() => database[Symbol.asyncDispose]());

  const names = Object.keys(typeCases);
  test.each(names.map((name, at) => [name, at] as const))('%s arrives exactly', async (name, at) => {
    const sql = (typeCases[name]!.postgres ?? 'v::text').replace(/\bv\b/g, allTypesColumn(at));
    const sent = await database.sql(`SELECT ${sql} AS text FROM everything ORDER BY id`);
    const arrived = await lab.rows(`SELECT ${sql} FROM raw.everything ORDER BY id`);
    expect(arrived.flat()).toEqual(sent.map(({ text }) => text));
    expect(arrived.flat().filter((value) => value !== null)).toHaveLength(typeCases[name]!.values.length);
  });
});

/** Writes values that DuckDB makes into a table of one column. */
async function writeValues(type: string, values: string[], table = 'odd'): Promise<void> {
  await using session = await datastoreDestination.open({}, lab.context());
  await using writer = await session.stream(originOf(), selectionOf(table));
  const column = { name: 'v', type: columnTypeOf(type), nullable: true, sourceType: type };
  await writer.begin([column], false);
  const rows = values.map((value) => `(CAST(${value} AS ${type}))`).join(', ');
  await writer.stage(partOf(`SELECT v FROM (VALUES ${rows}) t (v)`), 'p', never, () => undefined);
  await writer.publish(null, null);
}
const never = new AbortController().signal;

describe('values of DuckDB', () => {
  test.each<[type: string, values: string[], asText: string[], kept: string[]]>([
    [
      'VARCHAR',
      ["''", "'\\.'", "'\\N'", "'a,\"b'", "E'l1\\r\\nl2'", "' '", 'NULL', "'#'"],
      ['', '\\.', '\\N', 'a,"b', 'l1\r\nl2', ' ', '∅', '#'],
      ['text'],
    ],
    [
      'INTERVAL',
      [
        'to_months(2147483647)',
        'to_days(-5) + to_microseconds(9223372036854775807)',
        "INTERVAL '-1 month 3 days -04:05:06.7'",
        "INTERVAL '0 days'",
      ],
      [
        '178956970 years 7 mons',
        '-5 days +2562047788:00:54.775807',
        '-1 mons +3 days -04:05:06.7',
        '00:00:00',
      ],
      ['interval'],
    ],
    [
      'DATE[]',
      ["['0044-03-15 (BC)', NULL, 'infinity', '12345-01-02']", '[]', 'NULL'],
      ['{"0044-03-15 BC",NULL,infinity,12345-01-02}', '{}', '∅'],
      ['date[]'],
    ],
    [
      'VARCHAR[]',
      [`['a"b', 'c\\d', '', 'NULL', NULL, '{}', 'x,y']`],
      ['{"a\\"b","c\\\\d","","NULL",NULL,"{}","x,y"}'],
      ['text[]'],
    ],
    ['BLOB[]', ["['\\x00\\xFF'::BLOB, ''::BLOB]"], ['{"\\\\x00ff","\\\\x"}'], ['bytea[]']],
    ['INTEGER[][]', ['[[1, 2], [3], [], NULL]'], ['[[1,2],[3],[],null]'], ['json']],
    [
      'TIMESTAMP',
      ["'290000-12-31 23:59:59.999999'", "'4714-11-24 (BC) 00:00:00'"],
      ['290000-12-31 23:59:59.999999', '4714-11-24 00:00:00 BC'],
      ['timestamp without time zone'],
    ],
    [
      'HUGEINT',
      ['170141183460469231731687303715884105727'],
      ['170141183460469231731687303715884105727'],
      ['text'],
    ],
  ])('%s keeps every value', async (type, values, asText, [kept]) => {
    await writeValues(type, values, `odd ${type}`);
    const found = await lab.rows(
      `SELECT coalesce(v::text, '∅'), pg_typeof(v)::text FROM raw."odd ${type}" ORDER BY ctid`,
    );
    expect(found.map(([text]) => text)).toEqual(asText);
    expect(found[0]![1]).toBe(kept);
  });

  test('values of many megabytes arrive whole', async () => {
    await writeValues(
      'VARCHAR',
      [`repeat('back\\slash, "quote" and ' || chr(10), 800000)`, "'short'"],
      'long',
    );
    expect(await lab.rows('SELECT octet_length(v), left(v, 27) FROM raw.long ORDER BY 1 DESC')).toEqual([
      [25 * 800_000, 'back\\slash, "quote" and \nback\\'.slice(0, 27)],
      [5, 'short'],
    ]);
  });

  test.each([
    ['DATE', "'5000-01-01 (BC)'"],
    ['TIMESTAMP', "'290000-01-01 (BC) 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'5000-01-01 (BC) 00:00:00+00'"],
    ['DATE[]', "['5000-01-01 (BC)']"],
  ])('a %s before the first day of PostgreSQL is a misfit, which travels as text', async (type, value) => {
    await expect(writeValues(type, [value])).rejects.toMatchObject({
      column: 'v',
      value: expect.stringContaining('(BC)'),
    });
    expect(await lab.readTable('odd')).toBeNull();
  });

  test.each([
    ['VARCHAR', "'ab' || chr(0) || 'cd'"],
    ['VARCHAR[]', "['x', 'ab' || chr(0) || 'cd']"],
  ])(
    'U+0000 in %s fails with SCHEMA naming column and value, and nothing is written',
    async (type, value) => {
      await expect(
        writeValues(type, ["'fine'", value].slice(type === 'VARCHAR' ? 0 : 1)),
      ).rejects.toMatchObject({
        kind: 'SCHEMA',
        message: expect.stringMatching(/"v" holds .*ab\\\\0cd/),
        fix: expect.any(String),
      });
      expect(await lab.readTable('odd')).toBeNull();
    },
  );
});
