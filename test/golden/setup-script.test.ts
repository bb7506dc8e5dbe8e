import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { InputError } from '#base/errors.ts';
import { setupScript } from '#catalog/setup-script.ts';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';
import { expectGolden } from './golden-file.ts';

type Said = Parameters<typeof setupScript>[1];

const key = [
  '-----BEGIN PUBLIC KEY-----',
  'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlf44YZm1qeDqcIwFMnYZ',
  '-----END PUBLIC KEY-----',
].join('\n');

const scripts: [file: string, engine: 'SNOWFLAKE' | 'POSTGRES', said: Said][] = [
  ['snowflake-managed.sql', 'SNOWFLAKE', { kind: 'MANAGED' }],
  [
    'snowflake-managed-writes.sql',
    'SNOWFLAKE',
    {
      kind: 'MANAGED',
      database: 'shop "live"',
      writes: ['TRANSFORMATIONS', 'SYNCS'],
      writeSchemas: ['RAW', 'MADE'],
      authentication: 'PASSWORD',
      autoSuspendSeconds: 300,
    },
  ],
  [
    'snowflake-existing.sql',
    'SNOWFLAKE',
    { kind: 'EXISTING', database: 'ANALYTICS', warehouse: 'REPORTING', role: 'SLUICE' },
  ],
  [
    'snowflake-existing-writes.sql',
    'SNOWFLAKE',
    {
      kind: 'EXISTING',
      database: 'ANALYTICS',
      warehouse: 'REPORTING',
      role: 'SLUICE',
      readSchemas: ['CRM', 'shop'],
      writes: ['TRANSFORMATIONS'],
      writeSchemas: ['MADE'],
    },
  ],
  ['postgres-managed.sql', 'POSTGRES', { kind: 'MANAGED', database: 'analytics', writes: ['SYNCS'] }],
  [
    'postgres-existing.sql',
    'POSTGRES',
    {
      kind: 'EXISTING',
      database: 'analytics',
      role: 'sluice',
      readSchemas: ['raw', 'CRM'],
      writes: ['TRANSFORMATIONS'],
      writeSchemas: ['made'],
    },
  ],
];

test.each(scripts)('the set-up script %s is as its golden file says', async (file, engine, said) => {
  await expectGolden(setupScript(engine, said), 'setup', file);
});

function problemsOf(engine: 'SNOWFLAKE' | 'POSTGRES' | 'DUCKDB', said: Said): string[] {
  try {
    setupScript(engine, said);
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(({ path }) => path.join('.'));
    throw error;
  }
  return [];
}

test('a public key is in the script on one line, and whatever is no public RSA key is refused', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const bare = publicKey.replace(/-----[^-]+-----|\n/g, '');
  expect(setupScript('SNOWFLAKE', { kind: 'MANAGED', publicKey })).toContain(`RSA_PUBLIC_KEY = '${bare}';`);
  const small = generateKeyPairSync('rsa', {
    modulusLength: 1024,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  for (const wrong of [privateKey, small.publicKey, key, "x'; DROP DATABASE PROD; --", '']) {
    expect(problemsOf('SNOWFLAKE', { kind: 'MANAGED', publicKey: wrong })).toEqual(['publicKey']);
  }
});

test('no name breaks out of its quotes, and names that hide something are refused', () => {
  const evil = `x"; DROP DATABASE "prod"; -- $$ ' /* \\`;
  const names = { database: evil, warehouse: evil, role: evil, username: evil };
  const schemas = { readSchemas: [evil], writeSchemas: [evil], writes: ['TRANSFORMATIONS'] } as const;
  const plain = { database: 'x', warehouse: 'x', role: 'x', username: 'x' };
  const of = (said: object) => setupScript('SNOWFLAKE', { kind: 'MANAGED', ...said });
  const shape = (text: string) =>
    tokensOf(text).map(({ kind, text: is }) => (kind === 'name' ? 'name' : `${kind} ${is}`));
  const found = tokensOf(of({ ...names, ...schemas })).filter(({ kind }) => kind === 'name');
  expect(new Set(found.map(({ text }) => text))).toEqual(new Set([evil]));
  expect(shape(of({ ...names, ...schemas }))).toEqual(
    shape(of({ ...plain, ...schemas, readSchemas: ['x'], writeSchemas: ['x'] })),
  );
  for (const name of ['', 'a\nb', 'a\u0000b', 'a\u2028b', 'a\u202Eb', 'n'.repeat(300)]) {
    expect(problemsOf('SNOWFLAKE', { kind: 'MANAGED', database: name, readSchemas: ['a', name] })).toEqual([
      'database',
      'readSchemas.1',
    ]);
  }
});

test('what is missing, and what means nothing to the engine, is named all at once', () => {
  expect(problemsOf('SNOWFLAKE', { kind: 'EXISTING', publicKey: key, autoSuspendSeconds: 60 })).toEqual([
    'database',
    'role',
    'warehouse',
    'publicKey',
    'autoSuspendSeconds',
  ]);
  expect(problemsOf('SNOWFLAKE', { kind: 'MANAGED', role: 'accountadmin', autoSuspendSeconds: 5 })).toEqual([
    'role',
    'autoSuspendSeconds',
  ]);
  expect(problemsOf('POSTGRES', { kind: 'MANAGED', warehouse: 'x', authentication: 'KEY_PAIR' })).toEqual([
    'database',
    'warehouse',
    'authentication',
  ]);
  expect(problemsOf('DUCKDB', { kind: 'MANAGED' })).toEqual(['engine']);
});
