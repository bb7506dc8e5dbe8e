import { describe, expect, test } from 'vitest';
import { checkConfig, withDefaults } from '#connectors/check-config.ts';
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

describe('checking a config', () => {
  test('a config that fits has no problems', () => {
    expect(
      checkConfig(spec, { ...good, port: 5432, schemas: ['a'], ssl: { mode: 'disable', key: 'k' } }),
    ).toEqual([]);
  });

  test.each<[title: string, config: unknown, problem: object]>([
    [
      'an unknown field',
      { ...good, pasword: 'x' },
      {
        code: 'INVALID',
        path: ['config', 'pasword'],
        fix: 'Did you mean "password"?',
        message: 'config.pasword is not a known field. Allowed: host, port, password, schemas, ssl.',
      },
    ],
    [
      'an unknown field like none',
      { ...good, colour: 1 },
      { code: 'INVALID', path: ['config', 'colour'], fix: 'Leave colour out.' },
    ],
    [
      'an unknown nested field',
      { ...good, ssl: { mod: 'x' } },
      {
        code: 'INVALID',
        path: ['config', 'ssl', 'mod'],
        fix: 'Did you mean "mode"?',
        message: 'config.ssl.mod is not a known field. Allowed: mode, key.',
      },
    ],
    [
      'a missing field',
      { password: 'correct horse' },
      {
        code: 'REQUIRED',
        path: ['config', 'host'],
        message: 'config.host is missing.',
        fix: 'Give host: The name or address of the server.',
      },
    ],
    [
      'a wrong type',
      { ...good, port: '5432' },
      {
        code: 'INVALID',
        path: ['config', 'port'],
        message: 'config.port must be a whole number, not "5432".',
      },
    ],
    [
      'a value out of range',
      { ...good, port: 0 },
      { code: 'INVALID', path: ['config', 'port'], message: 'config.port must be at least 1, not 0.' },
    ],
    [
      'a value outside an enum',
      { ...good, ssl: { mode: 'tls' } },
      {
        code: 'INVALID',
        path: ['config', 'ssl', 'mode'],
        message: 'config.ssl.mode must be one of disable, require, verify-full, not "tls".',
      },
    ],
    [
      'an item of a wrong type',
      { ...good, schemas: ['a', null] },
      {
        code: 'INVALID',
        path: ['config', 'schemas', '1'],
        message: 'config.schemas.1 must be text, not null.',
      },
    ],
    [
      'an empty text',
      { ...good, host: '' },
      { code: 'INVALID', path: ['config', 'host'], message: 'config.host must not be empty, not "".' },
    ],
    [
      'something that is no object',
      'host=db',
      { code: 'INVALID', path: ['config'], message: 'config must be an object.' },
    ],
    ['nothing', null, { code: 'INVALID', path: ['config'] }],
  ])('%s is one problem at its path', (_title, config, problem) => {
    expect(checkConfig(spec, config)).toEqual([expect.objectContaining(problem)]);
  });

  test('every problem is told at once', () => {
    const problems = checkConfig(spec, { port: 'x', hots: 1, ssl: { mode: 1 } });
    expect(problems.map((each) => each.path.join('.')).sort()).toEqual([
      'config.host',
      'config.hots',
      'config.password',
      'config.port',
      'config.ssl.mode',
      'config.ssl.mode',
    ]);
  });

  test.each<[string, unknown]>([
    ['in its place', { host: 'db', password: 4_711_007 }],
    ['too short', { host: 'db', password: '4711007' }],
    ['nested', { ...good, ssl: { key: 4_711_007 } }],
    ['where its object belongs', { ...good, ssl: '4711007' }],
    ['as the whole config', '4711007'],
    ['under an unknown name', { ...good, passwd: '4711007' }],
    ['inside its own place', { host: 'db', password: { value: '4711007' } }],
  ])('a secret %s appears in no problem', (_place, config) => {
    const problems = checkConfig(spec, config);
    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems)).not.toContain('4711007');
  });

  test('paths begin with the given prefix', () => {
    expect(checkConfig(spec, { ...good, port: 0 }, ['input', 'config'])[0]).toMatchObject({
      path: ['input', 'config', 'port'],
    });
  });

  test('defaults fill what is left out, in a copy', () => {
    const config = { ...good };
    expect(withDefaults(spec, config)).toEqual({ ...good, port: 5432, ssl: { mode: 'require' } });
    expect(config).toEqual(good);
  });

  test('checking adds nothing to the config', () => {
    const config = { ...good };
    checkConfig(spec, config);
    expect(config).toEqual(good);
  });
});
