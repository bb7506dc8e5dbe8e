import { expect, test } from 'vitest';
import type { ListedFile } from '#connectors/files/list-streams.ts';
import { nextState, notYetTaken, readState } from '#connectors/files/taken-files.ts';

function file(relative: string, size = 1, mtimeMs = 1): ListedFile {
  return {
    relative,
    size,
    mtimeMs,
    real: `/root/${relative}`,
    named: { format: 'csv', compression: 'none', stem: 'x', lines: false, tabs: false },
  };
}

const names = (files: readonly ListedFile[]) => files.map((each) => each.relative);

test('a file is new by its path, its size or its time', () => {
  const state = nextState(null, [], [file('a'), file('b'), file('c')], []);
  const { files, changed } = notYetTaken([file('a'), file('b', 2), file('c', 1, 2), file('d')], state);
  expect(names(files)).toEqual(['b', 'c', 'd']);
  expect(names(changed)).toEqual(['b', 'c']);
});

test('without a state everything is new and nothing has changed', () => {
  expect(notYetTaken([file('a')], null)).toMatchObject({ files: [{ relative: 'a' }], changed: [] });
});

test('a state keeps every file that is there and the 10,000 newest of those that are gone', () => {
  const gone = Array.from({ length: 12_000 }, (_, at) => file(`gone-${at}`, 1, at));
  const before = nextState(null, gone, [...gone, file('here', 1, 0)], []);
  const after = nextState(before, [file('here', 1, 0)], [file('new')], []);
  expect(Object.keys(after.files).length).toBe(10_002);
  expect(after.files['gone-1999']).toBeUndefined();
  expect(after.files['gone-2000']).toEqual([1, 2000]);
  expect(after.files).toMatchObject({ here: [1, 0], new: [1, 1] });
});

test('a state survives JSON, and one of another source is refused', () => {
  const state = nextState(null, [], [file('a', 5, 7)], []);
  expect(readState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  expect(readState(null)).toBeNull();
  expect(() => readState({ cursor: '5' })).toThrow('not one of the files source');
  expect(() => readState([1])).toThrow('not one of the files source');
});
