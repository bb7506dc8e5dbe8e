import { expect, test } from 'vitest';
import { type SnowflakeConfig, snowflakeEngine } from '#warehouse/snowflake-config.ts';

const check = (config: SnowflakeConfig) => snowflakeEngine.check(config, { emulatorHosts: [] });

const base = { account: 'my_org-acc', username: 'u', warehouse: 'W', database: 'D' };

test('a config of Snowflake has one way to sign in', () => {
  expect(check({ ...base, password: 'p' })).toEqual([]);
  expect(check({ ...base, privateKey: 'k', passphrase: 'p' })).toEqual([]);
  expect(check(base)).toMatchObject([{ code: 'REQUIRED', path: ['config', 'password'] }]);
  expect(check({ ...base, password: 'p', token: 't', passphrase: 'p' })).toMatchObject([
    { code: 'INVALID', path: ['config', 'token'] },
    { code: 'INVALID', path: ['config', 'passphrase'] },
  ]);
});

test('a config of Snowflake leads to no other host than those of Snowflake', () => {
  const hosts = [
    'a.snowflakecomputing.com',
    'a.eu-west-1.privatelink.snowflakecomputing.com',
    'a.snowflakecomputing.cn',
  ];
  for (const host of hosts) expect(check({ ...base, password: 'p', host })).toEqual([]);
  for (const host of [
    'localhost',
    'snowflakecomputing.com',
    'a.snowflakecomputing.com.evil.test',
    '169.254.169.254',
  ]) {
    expect(check({ ...base, password: 'p', host }), host).toHaveLength(1);
  }
});
