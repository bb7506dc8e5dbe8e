import { expect, test } from 'vitest';
import { sizeWords } from '#base/size-words.ts';

test.each([
  [0n, '0 bytes'],
  [1_023n, '1023 bytes'],
  [1_024n, '1.0 KiB'],
  [30_000_000n, '28.6 MiB'],
  [2n ** 50n, '1.0 PiB'],
  [2n ** 64n, '16384.0 PiB'],
])('%s bytes are told as %s', (bytes, words) => {
  expect(sizeWords(bytes)).toBe(words);
});
