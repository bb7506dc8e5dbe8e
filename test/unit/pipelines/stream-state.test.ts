import { expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { keptState, stateToGoOnFrom } from '#pipelines/stream-state.ts';

const job = { sourceId: 'a', destinationId: 'b' };
const selection: StreamSelection = {
  namespace: 'public',
  name: 'users',
  syncMode: 'INCREMENTAL',
  writeMode: 'APPEND',
  cursorField: 'id',
  primaryKey: ['id'],
  destinationTable: 'users',
  selectedColumns: null,
};
const published = { taskId: 't', state: keptState(job, selection, { cursor: 3 }), rowsWritten: 1n };

test('a stream goes on from the state of what went the same way', () => {
  expect(stateToGoOnFrom(job, selection, published)).toEqual({ cursor: 3 });
  const written: StreamSelection = {
    ...selection,
    writeMode: 'UPSERT',
    selectedColumns: ['id'],
    primaryKey: [],
  };
  expect(stateToGoOnFrom(job, written, published)).toEqual({ cursor: 3 });
});

test('a stream begins anew when it is another, goes elsewhere or is chosen otherwise, or nothing was published', () => {
  const others: Partial<StreamSelection>[] = [
    { name: 'orders' },
    { namespace: null },
    { syncMode: 'FULL_REFRESH' },
    { cursorField: 'updated_at' },
    { destinationTable: 'people' },
  ];
  for (const other of others) expect(stateToGoOnFrom(job, { ...selection, ...other }, published)).toBeNull();
  expect(stateToGoOnFrom({ ...job, sourceId: 'x' }, selection, published)).toBeNull();
  expect(stateToGoOnFrom({ ...job, destinationId: 'x' }, selection, published)).toBeNull();
  expect(stateToGoOnFrom(job, selection, null)).toBeNull();
  expect(stateToGoOnFrom(job, selection, { ...published, state: null })).toBeNull();
  expect(stateToGoOnFrom(job, selection, { ...published, state: 'of another make' })).toBeNull();
});

test('a difference goes on whatever the order of its key, and begins anew with another key', () => {
  const compared = { ...selection, cursorField: null, difference: { mirrorRemovals: true } };
  const of = (primaryKey: string[]) => ({ ...compared, primaryKey });
  const before = { ...published, state: keptState(job, of(['b', 'a']), 'kept') };
  expect(stateToGoOnFrom(job, of(['a', 'b']), before)).toBe('kept');
  expect(stateToGoOnFrom(job, of(['a']), before)).toBeNull();
  expect(stateToGoOnFrom(job, compared, published)).toBeNull();
});
