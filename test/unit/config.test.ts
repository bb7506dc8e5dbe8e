import path from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, readClientConfig, readConfig, settings } from '#config.ts';

function problemsOf(
  env: NodeJS.ProcessEnv,
  read: (env: NodeJS.ProcessEnv) => unknown = readConfig,
): readonly string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('without any variable every setting has its default', () => {
  expect(readConfig({})).toEqual({
    databaseUrl: undefined,
    home: path.resolve('.sluice'),
    host: '127.0.0.1',
    port: 4000,
    filesRoot: path.resolve('data'),
    endpoints: path.resolve('endpoints'),
    secretKey: undefined,
    signUp: 'first',
    workers: 2,
    cacheMb: 64,
    webhookHosts: [],
    emulatorHosts: [],
    demoWarehouse: 'duckdb',
    logLevel: 'info',
  });
});

test('a variable set to nothing counts as not set', () => {
  const nothing = Object.fromEntries(settings.map(({ name }) => [name, '']));
  expect(readConfig(nothing)).toEqual(readConfig({}));
});

test('every setting is taken from its variable', () => {
  const config = readConfig({
    DATABASE_URL: 'postgres://me:p%40ss@db.example:6543/store?sslmode=require',
    SLUICE_HOME: '/srv/sluice',
    SLUICE_HOST: '::',
    SLUICE_PORT: '0',
    SLUICE_FILES_ROOT: '/srv/files',
    SLUICE_ENDPOINTS: '/srv/endpoints',
    SLUICE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    SLUICE_SIGN_UP: 'closed',
    SLUICE_WORKERS: '64',
    SLUICE_CACHE_MB: '512',
    SLUICE_EMULATOR_HOSTS: 'localhost:8080',
    SLUICE_DEMO_WAREHOUSE: 'postgres',
    SLUICE_WEBHOOK_HOSTS: 'Hooks.Internal, localhost:9000,[::1]:8080',
    SLUICE_LOG_LEVEL: 'silent',
  });
  expect(config).toEqual({
    databaseUrl: 'postgres://me:p%40ss@db.example:6543/store?sslmode=require',
    home: '/srv/sluice',
    host: '::',
    port: 0,
    filesRoot: '/srv/files',
    endpoints: '/srv/endpoints',
    secretKey: Buffer.alloc(32, 7),
    signUp: 'closed',
    workers: 64,
    cacheMb: 512,
    emulatorHosts: ['localhost:8080'],
    demoWarehouse: 'postgres',
    webhookHosts: ['hooks.internal', 'localhost:9000', '[::1]:8080'],
    logLevel: 'silent',
  });
});

test('every problem is told at once, with the value and what is allowed', () => {
  const env = {
    DATABASE_URL: 'mysql://db.example/store',
    SLUICE_HOST: 'two words',
    SLUICE_PORT: '65536',
    SLUICE_SECRET_KEY: 'c2hvcnQ=',
    SLUICE_SIGN_UP: 'frist',
    SLUICE_WORKERS: '-1',
    SLUICE_LOG_LEVEL: 'loud',
    SLUICE_HOEM: '/srv',
  };
  expect(problemsOf(env)).toEqual([
    'DATABASE_URL is a URL that starts with "mysql:" and leads to db.example; allowed is a postgresql:// URL.',
    'SLUICE_HOST is "two words"; allowed is a host name or address.',
    'SLUICE_PORT is "65536"; allowed is a whole number from 0 to 65535; 0 takes a free one.',
    'SLUICE_SECRET_KEY is 5 bytes long; allowed is 32 bytes as base64 or hex. Make one with: openssl rand -base64 32',
    'SLUICE_SIGN_UP is "frist"; allowed is first, open or closed. Did you mean first?',
    'SLUICE_WORKERS is "-1"; allowed is a whole number from 0 to 64.',
    'SLUICE_LOG_LEVEL is "loud"; allowed is debug, info, warn, error or silent.',
    'SLUICE_HOEM is no setting. Did you mean SLUICE_HOME?',
  ]);
});

test.each(['1.5', '1e3', '0x10', ' 4000', '65536', '99999999999999999999', 'NaN'])(
  'port %j is refused',
  (port) => {
    expect(problemsOf({ SLUICE_PORT: port })).toHaveLength(1);
  },
);

test('a secret key is taken as hex, base64 and base64url, of 32 bytes only', () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index));
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    expect(readConfig({ SLUICE_SECRET_KEY: key.toString(encoding) }).secretKey).toEqual(key);
  }
  for (const wrong of ['ab'.repeat(31), 'a b', 'ä'.repeat(32), key.toString('base64').slice(4)]) {
    expect(problemsOf({ SLUICE_SECRET_KEY: wrong })).toHaveLength(1);
  }
});

test('no problem repeats a secret', () => {
  const problems = [
    ...problemsOf({ SLUICE_SECRET_KEY: 'hunter2hunter2' }),
    ...problemsOf({ DATABASE_URL: 'postgres://me:hunter2@ho st/x' }),
    ...problemsOf({ DATABASE_URL: 'mysql://me:hunter2@host/x' }),
    ...problemsOf({ SLUICE_URL: 'http://me:hunter2@host' }, readClientConfig),
    ...problemsOf({ SLUICE_TOKEM: 'hunter2' }),
  ];
  expect(problems).toHaveLength(5);
  expect(problems.join('\n')).not.toContain('hunter2');
});

test('an unknown SLUICE_ variable that is like no setting lists those that exist; others are not ours', () => {
  expect(problemsOf({ SLUICE_COLOUR_OF_THE_CONSOLE: 'red', NODE_ENV: 'test', PATH: '/bin' })).toEqual([
    `SLUICE_COLOUR_OF_THE_CONSOLE is no setting. There are ${settings.map(({ name }) => name).join(', ')}.`,
  ]);
});

test('a client finds the gateway where this environment would serve it, or at SLUICE_URL', () => {
  const home = '/nowhere';
  const urlOf = (env: NodeJS.ProcessEnv) => readClientConfig({ SLUICE_HOME: home, ...env }).url;
  expect(urlOf({})).toBe('http://127.0.0.1:4000');
  expect(urlOf({ SLUICE_HOST: '0.0.0.0', SLUICE_PORT: '81' })).toBe('http://127.0.0.1:81');
  expect(urlOf({ SLUICE_HOST: '::1' })).toBe('http://[::1]:4000');
  expect(urlOf({ SLUICE_URL: 'https://sluice.example/' })).toBe('https://sluice.example');
  expect(urlOf({ SLUICE_URL: 'http://localhost:4000/graphql' })).toBe('http://localhost:4000');
  expect(problemsOf({ SLUICE_URL: 'sluice.example' }, readClientConfig)).toEqual([
    'SLUICE_URL is "sluice.example"; allowed is an http:// or https:// URL without a path.',
  ]);
});

test.each([
  ['/srv/files', '/srv/files'],
  ['/srv/files/home', '/srv/files'],
])('a home that file sources could read is refused: %s in %s', (home, filesRoot) => {
  expect(() => readConfig({ SLUICE_HOME: home, SLUICE_FILES_ROOT: filesRoot })).toThrow(
    /lies in SLUICE_FILES_ROOT/,
  );
});

test.each([
  ['/srv/.sluice', '/srv'],
  ['/srv/home', '/srv/files'],
  ['/srv', '/srv/files'],
])('a home that no file source can read is taken: %s beside %s', (home, filesRoot) => {
  expect(readConfig({ SLUICE_HOME: home, SLUICE_FILES_ROOT: filesRoot })).toMatchObject({ home, filesRoot });
});

test('a webhook host is a host, with a port at most', () => {
  for (const SLUICE_WEBHOOK_HOSTS of [
    'http://hooks.internal',
    'hooks.internal/path',
    'a b',
    'me@host',
    'host:port',
  ]) {
    expect(problemsOf({ SLUICE_WEBHOOK_HOSTS })).toEqual([
      expect.stringContaining(`SLUICE_WEBHOOK_HOSTS is "${SLUICE_WEBHOOK_HOSTS}"`),
    ]);
  }
});
