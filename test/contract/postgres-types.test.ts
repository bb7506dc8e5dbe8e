import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { typeName } from '#connectors/column-type.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import { allTypesColumn, makeAllTypes, typeCases } from '../support/all-types.ts';
import { moveStream, originOf, selectionOf, type Moved } from '../support/move-stream.ts';
import { openSourceDatabase, type SourceDatabase } from '../support/source-database.ts';

let database: SourceDatabase;
beforeAll(async () => {
  database = await openSourceDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

function move(name: string, more: Partial<StreamSelection> = {}, origin = originOf()): Promise<Moved> {
  return moveStream(database.mover, {
    source: postgresSource,
    sourceConfig: database.config,
    destination: datastoreDestination,
    destinationConfig: {},
    origin,
    selection: selectionOf(name, {
      namespace: 'public',
      ...more,
    }),
  });
}

describe('a table of all types', () => {
  const names = Object.keys(typeCases);
  const column = allTypesColumn;

  beforeAll(async () => {
    await makeAllTypes(database);
    await move('everything');
  }, 60_000);

  test.each(names.map((name, at) => [name, at] as const))('%s arrives exactly', async (name, at) => {
    const {
      arrives,
      because,
      postgres = 'v::text',
      duckDb = 'CAST(v AS VARCHAR)',
      normal = String,
    } = typeCases[name]!;
    const stream = await database.stream('everything');
    const offered = stream.columns[at + 1]!;
    expect(typeName(offered.type)).toBe(arrives);
    if (because) expect(offered.asTextBecause).toMatch(because);
    else expect(offered.asTextBecause).toBeUndefined();

    const sent = await database.sql(
      `SELECT ${postgres.replace(/\bv\b/g, column(at))} AS text FROM everything ORDER BY id`,
    );
    const arrived = await database.mover.rows(
      `SELECT ${duckDb.replace(/\bv\b/g, `"${column(at)}"`)} FROM raw.everything ORDER BY id`,
    );
    const text = (value: unknown) => (value === null ? null : normal(value as string));
    expect(arrived.map(([value]) => text(value))).toEqual(sent.map((row) => text(row.text)));
    // Each column has values, and a row of NULLs at the end.
    expect(arrived.at(-1)).toEqual([null]);
    expect(arrived.filter(([value]) => value !== null).length).toBe(typeCases[name]!.values.length);
  });
});

describe('values that a type does not hold', () => {
  test('NaN in a decimal makes the column text, once and for all', async () => {
    await database.sql(
      `CREATE TABLE prices (id int4, price numeric(10,2)); INSERT INTO prices VALUES (1, 1.50), (2, 'NaN'), (3, NULL)`,
    );
    const { jobId } = originOf();
    await move('prices', {}, originOf(jobId));
    expect(await database.mover.rows('SELECT price FROM raw.prices ORDER BY id')).toEqual([
      ['1.50'],
      ['NaN'],
      [null],
    ]);
    await database.sql('DELETE FROM prices WHERE id = 2');
    await move('prices', {}, originOf(jobId));
    expect(await database.mover.rows('SELECT price FROM raw.prices ORDER BY id')).toEqual([['1.50'], [null]]);
  });

  test.each([
    ['an array of several dimensions', 'int4[]', "'{{1,2},{3,4}}'", '{{1,2},{3,4}}'],
    ['an array of texts of several dimensions', 'text[]', "'{{a,b},{c,d}}'", '{{a,b},{c,d}}'],
    ['an array that does not begin at 1', 'int4[]', "'[0:1]={1,2}'", '[0:1]={1,2}'],
    ['a timestamp beyond the other side’s', 'timestamp', "'294276-12-31 23:59:59'", '294276-12-31 23:59:59'],
    ['an infinite interval', 'interval', "'infinity'", 'infinity'],
  ])('%s makes the column text', async (_, type, value, text) => {
    await database.sql(
      `DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int4, v ${type}); INSERT INTO odd VALUES (1, ${value}), (2, NULL)`,
    );
    await move('odd', { destinationTable: `odd_${text.length}_${type.length}` });
    expect(
      await database.mover.rows(`SELECT v FROM raw."odd_${text.length}_${type.length}" ORDER BY id`),
    ).toEqual([[text], [null]]);
  });

  test('an empty text alone in its row is a row', async () => {
    await database.sql(`CREATE TABLE lonely (v text); INSERT INTO lonely VALUES (''), (NULL), ('x')`);
    expect((await move('lonely')).rowsWritten).toBe(3n);
    expect(await database.mover.rows('SELECT v FROM raw.lonely ORDER BY v NULLS LAST')).toEqual([
      [''],
      ['x'],
      [null],
    ]);
  });

  test('values of many megabytes arrive whole', async () => {
    await database.sql(
      `CREATE TABLE long (id int4 PRIMARY KEY, v text, b bytea, j jsonb);
       INSERT INTO long VALUES (1, repeat(E'back\\\\slash and \\n line ', 500000), decode(repeat('00ff5c', 1500000), 'hex'), jsonb_build_object('k', repeat('x', 3000000))),
         (2, repeat('a', 30000000), NULL, NULL), (3, 'short', NULL, NULL)`,
    );
    expect((await move('long')).rowsWritten).toBe(3n);
    const sent = await database.sql(`SELECT md5(v) v, md5(b) b, md5(j::text) j FROM long ORDER BY id`);
    const arrived = await database.mover.rows(
      'SELECT md5(v), md5(b), md5(j::VARCHAR) FROM raw.long ORDER BY id',
    );
    expect(arrived).toEqual(sent.map((row) => [row.v, row.b, row.j]));
  });
});
