import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bigQueryEngine, type BigQueryConfig } from '#warehouse/bigquery-config.ts';
import { type BigQueryWarehouse, openBigQuery } from '#warehouse/bigquery.ts';
import { sessionSuite } from './cloud-session.suite.ts';
import { type BigQueryServer, startBigQueryServer } from '../support/bigquery-server/start-server.ts';

interface KeyFile {
  client_email: string;
  private_key: string;
}

const opened: { server?: BigQueryServer; warehouse?: BigQueryWarehouse } = {};
const server = () => opened.server!;
const told = () => server().order({ tell: true });
const run = (sql: string, options = {}) => opened.warehouse!.run({ sql }, options);
const open = (config: Partial<BigQueryConfig> = {}) =>
  bigQueryEngine.open({ ...server().config, ...config }, { emulatorHosts: [server().host], firstWaitMs: 20 });

beforeAll(async () => {
  opened.server = await startBigQueryServer('sluice-session');
  opened.warehouse = await open();
});
afterAll(async () => {
  await opened.warehouse?.[Symbol.asyncDispose]();
  await opened.server?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await server().order({ trouble: { status: 500, reason: '', count: 0 } });
  await server().order({ broken: 0 });
});

const endless =
  'SELECT COUNT(*) AS c FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b WHERE MOD(a * b, 7) = 3';
const many = 'SELECT n FROM UNNEST(GENERATE_ARRAY(0, 29999)) AS n ORDER BY n';

sessionSuite('BigQuery', () => ({
  open(how) {
    const { projectId, credentials, host } = server().config;
    const { client_email: clientEmail, private_key: privateKey } = JSON.parse(credentials) as KeyFile;
    const login = { projectId, clientEmail, privateKey, isEmulator: true, url: `http://${host}` };
    return openBigQuery({ ...login, ...how });
  },
  endless,
  tag: 'req-1_metric__a',
  async told() {
    const { tokens: opened, queries, running } = await told();
    const texts = queries.map(({ query }) => query);
    const tags = queries.map(({ labels }) => labels.sluice_request ?? '');
    return { texts, tags, running, opened, ended: null };
  },
}));

describe('who signs in', () => {
  test('does so once for many statements, and once more when the token was revoked', async () => {
    const before = (await told()).tokens;
    await Promise.all(Array.from({ length: 8 }, () => run('SELECT 1')));
    expect((await told()).tokens).toBe(before);
    await server().order({ revoke: true });
    expect((await run('SELECT 1')).rows).toEqual([[1n]]);
    expect((await told()).tokens).toBe(before + 1);
  });

  test('with a key that is not that of the account is told so, at the setting to blame', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const key = JSON.parse(server().config.credentials) as object;
    const wrong = (pem: string) => open({ credentials: JSON.stringify({ ...key, private_key: pem }) });
    for (const each of [privateKey, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n']) {
      const error = await wrong(each).catch((failure: unknown) => failure as Error & { path: string[] });
      expect(error).toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE', kind: 'CONFIG', path: ['credentials'] });
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('PRIVATE KEY');
    }
  });

  test('to a project or a dataset that is not there is told which', async () => {
    await expect(open({ projectId: 'another-project' })).rejects.toMatchObject({ path: ['projectId'] });
    await expect(open({ dataset: 'nowhere' })).rejects.toMatchObject({ kind: 'CONFIG', path: ['dataset'] });
  });

  test('where nobody answers is told so', async () => {
    const host = '127.0.0.1:9';
    const opening = bigQueryEngine.open(
      { ...server().config, host },
      { emulatorHosts: [host], firstWaitMs: 20 },
    );
    await expect(opening).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE', kind: 'TRANSIENT' });
  });
});

describe('a statement', () => {
  test('says who asks and why in labels that BigQuery takes, and how long it may run', async () => {
    await run('SELECT 1', { tag: 'Request 1/Ä:x', deadlineMs: 20_000 });
    expect((await told()).queries.at(-1)).toMatchObject({
      labels: { application: 'sluice', sluice_request: 'request_1_ä_x' },
      timeoutMs: '20000',
    });
  });

  test('comes through when BigQuery fails in passing, and when its answers break off', async () => {
    for (const [status, reason] of [
      [503, 'backendError'],
      [403, 'rateLimitExceeded'],
      [429, ''],
    ] as const) {
      await server().order({ trouble: { status, reason, count: 2 } });
      expect((await run('SELECT 1')).rows).toEqual([[1n]]);
    }
    await server().order({ broken: 2 });
    expect((await run('SELECT 1')).rows).toEqual([[1n]]);
  });

  test.each([
    [400, 'jobBackendError'],
    [400, 'jobRateLimitExceeded'],
    [403, 'rateLimitExceeded'],
    [503, 'backendError'],
  ])(
    'whose job fails in passing (%i %s) is made anew, since that job stays failed',
    async (status, reason) => {
      await server().order({ failing: { status, reason, count: 1 } });
      expect((await run(`SELECT '${reason}' AS v`)).rows).toEqual([[reason]]);
      const target = { database: 'sluice-session', schema: 'made', name: 'anew', kind: 'TABLE' } as const;
      await server().order({ failing: { status, reason, count: 1 } });
      expect(await opened.warehouse!.write(target, { sql: 'SELECT 1 AS n' })).toBe(1n);
    },
  );

  test('whose jobs go on failing says so', async () => {
    await server().order({ failing: { status: 400, reason: 'jobInternalError', count: 100 } });
    await expect(run('SELECT 1')).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
    await server().order({ failing: { status: 400, reason: '', count: 0 } });
  });

  test('whose pages break or fail on their way gives every row once', async () => {
    let next = 0n;
    for await (const { rows } of opened.warehouse!.stream({ sql: many })) {
      if (next === 0n) await server().order({ broken: 1 });
      for (const [n] of rows) expect(n).toBe(next++);
    }
    expect(next).toBe(30_000n);
  });

  test('that keeps failing says so, and costs no more than its deadline', async () => {
    await using patient = await bigQueryEngine.open(server().config, { emulatorHosts: [server().host] });
    await server().order({ trouble: { status: 503, reason: 'backendError', count: 1_000 } });
    await expect(patient.run({ sql: 'SELECT 1' }, { deadlineMs: 1_500 })).rejects.toMatchObject({
      code: 'WAREHOUSE_TIMEOUT',
    });
  });

  test('that would be billed for too much is refused, and says what to do', async () => {
    await using small = await open({ maximumBytesBilled: 20_000_000 });
    await server().order({ bytes: 30_000_000 });
    try {
      await expect(small.run({ sql: 'SELECT 2' })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        fix: expect.stringContaining(
          'maximumBytesBilled of the datastore to 30000000 or more (28.6 MiB)',
        ) as string,
      });
    } finally {
      await server().order({ bytes: 10_485_760 });
    }
  });

  test('without a permission says which, and one over a quota that it may go well later', async () => {
    const message =
      'Access Denied: Table p:d.t: User does not have permission bigquery.tables.getData on table p:d.t';
    await server().order({ trouble: { status: 403, reason: 'accessDenied', message, count: 1 } });
    await expect(run('SELECT 1')).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      fix: expect.stringContaining('bigquery.tables.getData') as string,
    });
    await server().order({
      trouble: { status: 403, reason: 'quotaExceeded', message: 'Quota exceeded', count: 1 },
    });
    await expect(run('SELECT 1')).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
  });

  test('that was left just before has no part in what becomes of the next one', async () => {
    const leave = new AbortController();
    const left = run(endless, { signal: leave.signal });
    left.catch(() => undefined);
    await expect.poll(async () => (await told()).running).toBe(1);
    leave.abort();
    await server().order({ trouble: { status: 403, reason: 'quotaExceeded', count: 1 } });
    await expect.poll(async () => (await told()).running, { timeout: 15_000 }).toBe(0);
    await expect(run('SELECT 1')).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
  });

  test('that is wrong says where', async () => {
    await expect(run('SELECT 1,\n  nothing')).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('line 2, column 3') as string,
    });
  });
});

describe('a write', () => {
  const target = {
    database: 'sluice-session',
    schema: 'made',
    name: 'once',
    kind: 'TABLE',
  } as const;

  test('whose answers are lost is made once', async () => {
    await opened.warehouse!.write(target, { sql: 'SELECT 1 AS n' });
    const before = (await told()).queries.length;
    await server().order({ trouble: { status: 503, reason: 'backendError', count: 2, path: '/jobs' } });
    await opened.warehouse!.write(target, { sql: 'SELECT 2 AS n' });
    await server().order({ broken: 3 });
    expect(await opened.warehouse!.write(target, { sql: 'SELECT 3 AS n' })).toBe(1n);
    const made = (await told()).queries.slice(before).map(({ query }) => query);
    expect(made).toEqual(['SELECT 2 AS n', 'SELECT 3 AS n']);
    expect((await run('SELECT n FROM made.once')).rows).toEqual([[3n]]);
  });
});
