import { describe, expect, test } from 'vitest';
import { checkConfig } from '#connectors/check-config.ts';
import { joinSecrets, secretPaths, splitSecrets } from '#connectors/config-secrets.ts';
import type { ConfigSchema } from '#connectors/contract.ts';

const spec: ConfigSchema = {
  type: 'object',
  required: ['host', 'password'],
  additionalProperties: false,
  properties: {
    host: { type: 'string', minLength: 1, description: 'The name or address of the server.' },
    port: { type: 'integer', minimum: 1, maximum: 65535, default: 5432 },
    password: { type: 'string', secret: true, minLength: 8 },
    schemas: { type: 'array', items: { type: 'string' }, uniqueItems: true },
    ssl: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        mode: { type: 'string', enum: ['disable', 'require', 'verify-full'], default: 'require' },
        key: { type: 'string', secret: true },
      },
    },
  },
};
const good = { host: 'db', password: 'correct horse' };

describe('secrets in a config', () => {
  test('are found wherever the schema marks them', () => {
    expect(secretPaths(spec)).toEqual(['password', 'ssl.key']);
    expect(
      secretPaths({ type: 'object', oneOf: [{ properties: { token: { type: 'string', secret: true } } }] }),
    ).toEqual(['token']);
  });

  test('are split off and joined back without a trace between', () => {
    const config = { ...good, ssl: { mode: 'require', key: 'k' } };
    const split = splitSecrets(spec, config);
    expect(split).toEqual({
      config: { host: 'db', ssl: { mode: 'require' } },
      secrets: { password: 'correct horse', 'ssl.key': 'k' },
    });
    expect(joinSecrets(split.config, { password: 'correct horse', 'ssl.key': 'k' })).toEqual(config);
    expect(config.password).toBe('correct horse');
  });

  test('null asks to clear', () => {
    expect(splitSecrets(spec, { host: 'db', password: null }).secrets).toEqual({ password: null });
  });

  test('what is no text stays in the config, where the check refuses it', () => {
    const split = splitSecrets(spec, { host: 'db', password: 4711 });
    expect(split).toEqual({ config: { host: 'db', password: 4711 }, secrets: {} });
    expect(checkConfig(spec, joinSecrets(split.config, { password: 'correct horse' }))).toMatchObject([
      { code: 'INVALID', path: ['config', 'password'] },
    ]);
  });

  test('a secret whose object is gone comes back in a new one', () => {
    expect(joinSecrets({ host: 'db' }, { 'ssl.key': 'k' })).toEqual({ host: 'db', ssl: { key: 'k' } });
    expect(joinSecrets({ ssl: 'text' }, { 'ssl.key': 'k' })).toEqual({ ssl: 'text' });
  });
});
