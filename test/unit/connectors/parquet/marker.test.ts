import { expect, test } from 'vitest';
import {
  parseMarker,
  parseOwner,
  refuseTableName,
  stagedName,
  stagedPartOf,
} from '#connectors/parquet/marker.ts';

test.each(['id 1 to 250,000', 'ctid(0,1)/é', '000001-abc', 'a.b.c'])(
  'the part %s is found again in the name of its file',
  (partId) => {
    const part = { partId, rows: 12n, bytes: 9_007_199_254_740_993n };
    expect(stagedPartOf(stagedName(part))).toEqual(part);
    expect(stagedName(part)).toMatch(/^[\w.-]+$/);
  },
);

test('other files are no parts', () => {
  expect(stagedPartOf('unfinished-1')).toBeNull();
  expect(stagedPartOf('_sluice.json')).toBeNull();
});

test('a part id too long for a file’s name is refused rather than cut', () => {
  expect(() => stagedName({ partId: 'x'.repeat(300), rows: 1n, bytes: 1n })).toThrow('too long');
});

test.each(['orders', 'public.orders', 'Größe', '1', '_2024'])('%s can be a table', (name) => {
  expect(() => refuseTableName(name)).not.toThrow();
});

test.each(['', '.', '..', '.sluice', 'a/b', 'a\\b', 'a\0', 'ü'.repeat(101)])(
  '%j cannot be a table',
  (name) => {
    expect(() => refuseTableName(name)).toThrow(
      expect.objectContaining({ kind: 'CONFIG', path: ['destinationTable'] }),
    );
  },
);

test('a marker or an owner that is not ours is not guessed at', () => {
  expect(() => parseMarker('{"taskId":', 'lake/t')).toThrow(
    '"lake/t/_sluice.json" is not as Sluice wrote it',
  );
  expect(() => parseMarker('{}', 'lake/t')).toThrow('not as Sluice wrote it');
  expect(parseOwner('{"jobId":"j"')).toBeNull();
  expect(parseOwner('{"jobId":"j"}')).toBeNull();
});
