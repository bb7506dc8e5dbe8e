import { expect, test } from 'vitest';
import { formatOf } from '#connectors/files/file-format.ts';

test.each([
  ['orders.csv', 'orders', 'csv', 'none'],
  ['orders.2024.CSV.GZ', 'orders.2024', 'csv', 'gzip'],
  ['orders.tsv.zst', 'orders', 'csv', 'zstd'],
  ['orders.json', 'orders', 'json', 'none'],
  ['orders.jsonl.gz', 'orders', 'json', 'gzip'],
  ['orders.ndjson', 'orders', 'json', 'none'],
  ['orders.parquet', 'orders', 'parquet', 'none'],
])('%s is the stream %s, %s with compression %s', (name, stem, format, compression) => {
  expect(formatOf(name, undefined)).toMatchObject({ stem, format, compression });
});

test.each(['orders', 'orders.txt', 'orders.gz', 'orders.parquet.gz', '.orders.csv', '_orders.csv', 'csv'])(
  '%s is not read',
  (name) => {
    expect(formatOf(name, undefined)).toBeNull();
  },
);

test('a given format reads names that say nothing, and leaves those of other formats', () => {
  expect(formatOf('export', 'csv')).toMatchObject({ stem: 'export', format: 'csv' });
  expect(formatOf('export.txt.gz', 'csv')).toMatchObject({ stem: 'export', compression: 'gzip' });
  expect(formatOf('export.parquet', 'csv')).toBeNull();
  expect(formatOf('_export', 'csv')).toBeNull();
});

test('.tsv means tabs, .jsonl and .ndjson mean lines', () => {
  expect(formatOf('a.tsv', undefined)).toMatchObject({ tabs: true, lines: false });
  expect(formatOf('a.jsonl', undefined)).toMatchObject({ tabs: false, lines: true });
  expect(formatOf('a.json', undefined)).toMatchObject({ lines: false });
});
