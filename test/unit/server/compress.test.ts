import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressionFor } from '#server/compress.ts';

test.each([
  ['br', 'br'],
  ['gzip, deflate, br', 'br'],
  ['gzip;q=0.5, br;q=0', 'gzip'],
  ['GZIP', 'gzip'],
  ['gzip;q=0.000', null],
  ['deflate', null],
  ['', null],
])('%j is answered in the coding %j', (accepted, name) => {
  expect(compressionFor(accepted)?.name ?? null).toBe(name);
});

test.each([
  ['br', brotliDecompressSync],
  ['gzip', gunzipSync],
])('%s of what is kept is made once, and is the text', async (coding, decompress) => {
  const compression = compressionFor(coding)!;
  const text = 'Größe 😀 '.repeat(1_000);
  const kept = {};
  const [one, other] = await Promise.all([compression.ofKept(kept, text), compression.ofKept(kept, text)]);
  expect(other).toBe(one);
  expect(decompress(one).toString('utf8')).toBe(text);
  expect(one.length).toBeLessThan(text.length / 10);
  expect(await compression.ofKept({}, text)).not.toBe(one);
});
