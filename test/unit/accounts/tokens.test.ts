import { expect, test } from 'vitest';
import { hashOf, isApiKey, isSameHash, newApiKey, newToken, prefixOfApiKey } from '#accounts/tokens.ts';

test('an API key has its prefix, 256 bits of secret and a checksum, in characters that one click selects', () => {
  const { prefix, secret } = newApiKey();
  expect(prefix).toMatch(/^sluice_[0-9A-Za-z]{12}$/);
  expect(secret).toMatch(/^sluice_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  expect(secret.startsWith(`${prefix}_`)).toBe(true);
  expect(isApiKey(secret)).toBe(true);
  expect(prefixOfApiKey(secret)).toBe(prefix);
});

test('a mistyped API key is known by its checksum, without asking the store', () => {
  const { secret } = newApiKey();
  const mistyped = secret.slice(0, 30) + (secret[30] === 'a' ? 'b' : 'a') + secret.slice(31);
  expect(prefixOfApiKey(mistyped)).toBeNull();
  expect(prefixOfApiKey(secret.slice(0, -1))).toBeNull();
  expect(prefixOfApiKey(`${secret} `)).toBeNull();
  expect(prefixOfApiKey('')).toBeNull();
});

test('no two tokens or keys are the same', () => {
  const tokens = Array.from({ length: 1000 }, () => newToken());
  const keys = Array.from({ length: 1000 }, () => newApiKey());
  expect(new Set(tokens).size).toBe(1000);
  expect(new Set(keys.map((key) => key.prefix)).size).toBe(1000);
  expect(tokens.every((token) => /^[A-Za-z0-9_-]{43}$/.test(token))).toBe(true);
});

test('hashes are compared whole', () => {
  expect(isSameHash(hashOf('a'), hashOf('a'))).toBe(true);
  expect(isSameHash(hashOf('a'), hashOf('b'))).toBe(false);
  expect(isSameHash(hashOf('a'), hashOf('a').subarray(0, 31))).toBe(false);
});
