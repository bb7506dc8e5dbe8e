import { expect, test } from 'vitest';
import { ColumnMisfit } from '#connectors/contract.ts';
import { explainScan } from '#connectors/files/explain.ts';
import { misfitIn } from '#connectors/files/text-casts.ts';

const open = [{ door: '/pipes/door-1', file: { relative: 'sales/a.csv' } }];

test('a misfit names its column and value, whatever stands in them', () => {
  const said = JSON.stringify({ column: 'a "b"\n}', value: '{"x": "}"}' });
  const misfit = explainScan(new Error(`Invalid Input Error: sluice-misfit ${said}\n\nLINE 1: SELECT`), open);
  expect(misfit).toBeInstanceOf(ColumnMisfit);
  expect(misfit).toMatchObject({ column: 'a "b"\n}', value: '{"x": "}"}' });
});

test('a misfit that is no misfit is none', () => {
  expect(misfitIn('sluice-misfit {"column":')).toBeNull();
  expect(misfitIn('Out of Memory')).toBeNull();
});

test('an error that names no file is not the source’s', () => {
  expect(explainScan(new Error('Out of Memory Error: failed to allocate'), open)).toBeUndefined();
  expect(explainScan(new Error('IO Error: No space left on device "/lake/x.parquet"'), open)).toBeUndefined();
});

test('the file is named as people know it, never by its door', () => {
  const error = explainScan(new Error('IO Error: Could not read "/pipes/door-1": strange'), open);
  expect(error?.message).toBe(
    '"sales/a.csv" cannot be read: IO Error: Could not read "sales/a.csv": strange.',
  );
});
