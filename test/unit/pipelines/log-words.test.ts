import { expect, test } from 'vitest';
import { bytes, columnsInWords, counted, duration, throughput } from '#pipelines/log-words.ts';

test('numbers, sizes and times are written for people', () => {
  expect(counted(1n, 'row')).toBe('1 row');
  expect(counted(1_234_567n, 'row')).toBe('1,234,567 rows');
  expect([0, 999, 1_000, 1_234_567, 5e12].map(bytes)).toEqual(['0 B', '999 B', '1.0 kB', '1.2 MB', '5.0 TB']);
  expect([0, 1_234, 59_949, 60_000, 3_599_000, 10_800_000].map(duration)).toEqual([
    '0.0 s',
    '1.2 s',
    '59.9 s',
    '1 min',
    '1 h 0 min',
    '3 h 0 min',
  ]);
  expect(throughput(250_000n, 31_200_000n, 2_000)).toBe('250,000 rows, 31.2 MB in 2.0 s (125,000 rows/s)');
  expect(throughput(0n, 0n, 0)).toBe('0 rows, 0 B in 0.0 s');
});

test('a wide table names its first columns only', () => {
  const columns = Array.from({ length: 14 }, (_, at) => ({
    name: `c${at}`,
    type: { kind: 'text' as const },
    nullable: true,
    sourceType: 'text',
  }));
  expect(columnsInWords(columns.slice(0, 1))).toBe('1 column (c0)');
  expect(columnsInWords(columns)).toMatch(/^14 columns \(c0, .*c11, …\)$/);
});
