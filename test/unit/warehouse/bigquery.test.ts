import { describe, expect, test } from 'vitest';
import { bigQueryEngine } from '#warehouse/bigquery-config.ts';
import { describeSelect } from '#warehouse/bigquery-describe.ts';
import { bigQueryDialect } from '#warehouse/bigquery-dialect.ts';
import { BigQueryError, errorOf, statementError } from '#warehouse/bigquery-errors.ts';
import type { Desk } from '#warehouse/bigquery-query.ts';
import { asScript } from '#warehouse/bigquery-script.ts';
import { bigQueryTokens } from '#warehouse/bigquery-tokens.ts';
import { decoderOf, type Field, parametersOf, typeName } from '#warehouse/bigquery-values.ts';

const field = (type: string, more: Partial<Field> = {}): Field => ({ name: 'f', type, ...more });

describe('a value of BigQuery', () => {
  test.each([
    ['INTEGER', '9007199254740993', 9_007_199_254_740_993n],
    ['NUMERIC', '12345678901234567890.12', '12345678901234567890.12'],
    ['FLOAT', '1.5', 1.5],
    ['FLOAT', 'Infinity', 'Infinity'],
    ['FLOAT', '-Inf', '-Infinity'],
    ['FLOAT', 'NaN', 'NaN'],
    ['BOOLEAN', 'true', true],
    ['TIMESTAMP', '1767323045000006', '2026-01-02T03:04:05.000006Z'],
    ['TIMESTAMP', '-1', '1969-12-31T23:59:59.999999Z'],
    ['TIMESTAMP', '-62135596800000000', '0001-01-01T00:00:00.000000Z'],
    ['TIMESTAMP', '253402300799999999', '9999-12-31T23:59:59.999999Z'],
    ['DATETIME', '2026-01-02T03:04:05', '2026-01-02T03:04:05.000000Z'],
    ['DATETIME', '2026-01-02T03:04:05.5', '2026-01-02T03:04:05.500000Z'],
    ['BYTES', 'AP8=', 'AP8='],
    ['GEOGRAPHY', 'POINT(1 2)', 'POINT(1 2)'],
  ] as const)('of %s arrives exactly: %s', (type, raw, value) => {
    expect(decoderOf(field(type))(raw)).toEqual(value);
  });

  test('that is a range has its moments as others are written', () => {
    const of = (type: string) => decoderOf(field('RANGE', { rangeElementType: { type } }));
    expect(of('TIMESTAMP')('[-1, 1767323045000006)')).toBe(
      '[1969-12-31T23:59:59.999999Z, 2026-01-02T03:04:05.000006Z)',
    );
    expect(of('TIMESTAMP')('[UNBOUNDED, 0)')).toBe('[UNBOUNDED, 1970-01-01T00:00:00.000000Z)');
    expect(of('TIMESTAMP')('[2026-01-02 03:04:05, UNBOUNDED)')).toBe('[2026-01-02 03:04:05, UNBOUNDED)');
    expect(of('DATE')('[2026-01-02, 2026-02-02)')).toBe('[2026-01-02, 2026-02-02)');
  });

  test('that is a list or a record is fit for JSON, with 64-bit integers as text', () => {
    const fields = [field('INTEGER', { name: 'n' }), field('TIMESTAMP', { name: 'at', mode: 'REPEATED' })];
    const record = field('RECORD', { mode: 'REPEATED', fields });
    const cell = [{ v: { f: [{ v: '9007199254740993' }, { v: [{ v: '0' }] }] } }, { v: null }];
    expect(decoderOf(record)(cell)).toEqual([
      { n: '9007199254740993', at: ['1970-01-01T00:00:00.000000Z'] },
      null,
    ]);
    expect(typeName(record)).toBe('ARRAY<STRUCT<n INT64, at ARRAY<TIMESTAMP>>>');
    expect(typeName(field('NUMERIC', { precision: '12', scale: '2' }))).toBe('NUMERIC(12, 2)');
  });

  test('that is bound has its type; a list is an array of texts, and NULL is no parameter', () => {
    const binds = [1, 1.5, 2n ** 64n, true, 'x', null, new Date(0), new Uint8Array([255]), ['a', 1n]];
    expect(parametersOf(binds).map(({ parameterType }) => parameterType.type)).toEqual(
      'INT64 FLOAT64 BIGNUMERIC BOOL STRING TIMESTAMP BYTES ARRAY'.split(' '),
    );
    expect(parametersOf(binds).at(-1)).toEqual({
      name: 'p9',
      parameterType: { type: 'ARRAY', arrayType: { type: 'STRING' } },
      parameterValue: { arrayValues: [{ value: 'a' }, { value: '1' }] },
    });
  });
});

describe('the tokens of a statement', () => {
  test('tell texts, names and binds from what only looks like them', () => {
    const text = `SELECT 'it\\'s @p1', r"a\\b", """x " y""", \`a\\\`b\` -- @p2\n# @p3\n/* @p4 */ FROM t WHERE a = @p5`;
    const read = bigQueryTokens(text).map(({ kind, text: of }) => `${kind} ${of}`);
    const wanted =
      'word SELECT|text it\'s @p1|sign ,|text a\\b|sign ,|text x " y|sign ,|name a`b|word FROM|word T|word WHERE|word A|sign =|sign @p5';
    expect(read).toEqual(wanted.split('|'));
  });

  test('number the binds of statements that become one script', () => {
    const script = asScript({ sql: "UPDATE m SET a = @p1 WHERE b = '@p1'", binds: [1n] }, [
      { sql: 'INSERT INTO t SELECT @p1, @p2', binds: ['x', 2n] },
    ]);
    expect(script.binds).toEqual([1n, 'x', 2n]);
    expect(script.sql).toContain("SET a = @p1 WHERE b = '@p1'");
    expect(script.sql).toContain('SELECT @p2, @p3');
  });

  test('of a text or name that the dialect wrote are that text or name', () => {
    for (const each of ['', "it's", 'a\\b', 'x\ny', '`', '"', '\\`', '@p1']) {
      expect(bigQueryTokens(bigQueryDialect.quoteText(each))).toMatchObject([{ kind: 'text', text: each }]);
      expect(bigQueryTokens(bigQueryDialect.quoteName(each))).toMatchObject([{ kind: 'name', text: each }]);
    }
  });
});

describe('a SELECT of which BigQuery says what it reads', () => {
  const table = (name: string) => ({ database: 'p', schema: 'd', name });
  const resource = (tableId: string) => ({
    tableReference: { projectId: 'p', datasetId: 'd', tableId },
    type: 'TABLE',
  });
  const described = async (select: string, said: { tables: string[]; views: string[] }) => {
    const desk = {
      rest: {
        login: { projectId: 'p' },
        send: async ({ path }: { path: string }) => resource(path.split('/').at(-1)!),
      },
      settings: { dataset: 'd' },
      dryRun: async () => ({
        statementType: 'SELECT',
        columns: [],
        tables: said.tables.map(table),
        views: said.views.map(table),
        routines: [],
      }),
    };
    return (await describeSelect(desk as unknown as Desk, select)).reads.map(({ name }) => name);
  };

  test('reads the views that BigQuery names, also where its text does not show them', async () => {
    expect(await described('FROM v |> WHERE TRUE', { tables: ['t'], views: ['v'] })).toEqual(['t', 'v']);
  });

  test('reads every table that it names, also when BigQuery names no more than fifty', async () => {
    const all = Array.from({ length: 60 }, (_, at) => `t${at}`);
    const select = all.map((name) => `SELECT 1 FROM ${name}`).join(' UNION ALL ');
    expect(await described(select, { tables: all.slice(0, 50), views: [] })).toEqual(all);
    // A correlated array, which is named as a table is.
    expect(await described('SELECT 1 FROM t0, t0.list', { tables: ['t0'], views: [] })).toEqual(['t0']);
  });
});

describe('an error of BigQuery', () => {
  const told = (reason: string, message = 'said', status = 400) =>
    statementError(new BigQueryError(message, reason, status), null, 1_000);

  test.each([
    ['invalidQuery', 'Syntax error at [2:7]', 400, 'BAD_USER_INPUT'],
    ['notFound', 'Not found: Table p:d.t was not found in location EU', 404, 'BAD_USER_INPUT'],
    ['bytesBilledLimitExceeded', 'Query exceeded limit', 400, 'BAD_USER_INPUT'],
    ['stopped', 'Job execution was cancelled', 400, 'WAREHOUSE_TIMEOUT'],
    ['timeout', 'Job timed out', 400, 'WAREHOUSE_TIMEOUT'],
    ['quotaExceeded', 'Quota exceeded', 403, 'WAREHOUSE_UNAVAILABLE'],
    ['', 'it answers with status 502', 502, 'WAREHOUSE_UNAVAILABLE'],
    ['authError', 'Request had invalid credentials', 401, 'WAREHOUSE_UNAVAILABLE'],
    ['invalidQuery', 'Transaction is aborted due to concurrent update against table', 400, 'CONFLICT'],
    ['accessDenied', 'User does not have bigquery.jobs.create permission', 403, 'WAREHOUSE_UNAVAILABLE'],
    ['accessDenied', 'does not have permission bigquery.tables.getData', 403, 'BAD_USER_INPUT'],
  ] as const)('of %s (%s, %i) is %s', (reason, message, status, code) => {
    expect(told(reason, message, status).code).toBe(code);
  });

  test('keeps its place, and is read from whatever stands before BigQuery', () => {
    expect(told('invalidQuery', 'Syntax error: Unexpected "," at [2:7]').message).toContain(
      'line 2, column 7',
    );
    expect(errorOf(502, '<html>bad gateway</html>')).toMatchObject({ status: 502, reason: '' });
  });
});

describe('a config of BigQuery', () => {
  const key = { type: 'service_account', client_email: 'a@b', private_key: 'k' };
  const check = (credentials: unknown, host?: string) =>
    bigQueryEngine.check(
      {
        projectId: 'p',
        credentials: typeof credentials === 'string' ? credentials : JSON.stringify(credentials),
        ...(host !== undefined && { host }),
      },
      { emulatorHosts: ['127.0.0.1:1'] },
    );

  test('takes the key of a service account, and no credentials that name programs or addresses', () => {
    expect(check(key)).toEqual([]);
    for (const wrong of [
      'no json',
      'null',
      { ...key, type: 'external_account', credential_source: { executable: { command: 'rm' } } },
      { ...key, type: 'authorized_user' },
      { type: 'service_account', client_email: 'a@b' },
      { ...key, universe_domain: 'example.com' },
    ]) {
      const [problem, ...more] = check(wrong);
      expect([problem?.path, more]).toEqual([['config', 'credentials'], []]);
      expect(problem?.message).not.toContain('"k"');
    }
  });

  test('leads to no host but an emulator that the server names', () => {
    expect(check(key, '127.0.0.1:1')).toEqual([]);
    expect(check(key, 'metadata.internal')).toMatchObject([{ path: ['config', 'host'] }]);
  });
});
