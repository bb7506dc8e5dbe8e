import { expect, test } from 'vitest';
import type { StreamInfo } from '#connectors/contract.ts';
import { checkStreams, type JobStreamInput } from '#pipelines/check-streams.ts';

const column = (name: string) => ({
  name,
  type: { kind: 'text' as const },
  nullable: true,
  sourceType: 'text',
});

const users: StreamInfo = {
  namespace: 'public',
  name: 'users',
  columns: ['id', 'name', 'updated_at'].map(column),
  syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
  primaryKey: ['id'],
  cursorFields: ['id', 'updated_at'],
  estimatedRows: 10n,
};
const visits: StreamInfo = { ...users, name: 'visits', primaryKey: [] };
const view: StreamInfo = { ...users, name: 'a view', syncModes: ['FULL_REFRESH'], cursorFields: [] };
const crmUsers: StreamInfo = { ...users, namespace: 'crm' };
const files: StreamInfo = {
  ...users,
  namespace: null,
  name: '2024 orders.csv',
  primaryKey: [],
  cursorFields: [],
};
const offered = [users, visits, view, files];
const all = ['OVERWRITE', 'APPEND', 'UPSERT'] as const;

function check(
  input: Partial<JobStreamInput> | Partial<JobStreamInput>[],
  of = offered,
  modes: readonly ('OVERWRITE' | 'APPEND' | 'UPSERT')[] = all,
  ignoresCase = true,
) {
  const inputs = [input]
    .flat()
    .map((each) => ({ name: 'users', syncMode: 'FULL_REFRESH' as const, ...each }));
  return checkStreams(inputs, of, { writeModes: modes, ignoresCase });
}

/** Code, path and message of each problem. */
function problems(...given: Parameters<typeof check>): string[] {
  return check(...given).problems.map(
    ({ code, path, message, fix }) => `${code} ${path.join('.')}: ${message} ${fix}`,
  );
}

test('what is left out is filled in from the source', () => {
  expect(check({})).toEqual({
    problems: [],
    selections: [
      {
        namespace: 'public',
        name: 'users',
        syncMode: 'FULL_REFRESH',
        writeMode: 'OVERWRITE',
        cursorField: null,
        primaryKey: ['id'],
        destinationTable: 'users',
        selectedColumns: null,
      },
    ],
  });
});

test('INCREMENTAL writes by key where there is one, and appends else', () => {
  const incremental = { syncMode: 'INCREMENTAL', cursorField: 'updated_at' } as const;
  expect(check({ ...incremental }).selections[0]).toMatchObject({
    writeMode: 'UPSERT',
    cursorField: 'updated_at',
  });
  expect(check({ ...incremental, name: 'visits' }).selections[0]?.writeMode).toBe('APPEND');
  expect(check(incremental, offered, ['OVERWRITE', 'APPEND']).selections[0]?.writeMode).toBe('APPEND');
});

test('the table is named as the stream, made safe', () => {
  expect(check({ name: '2024 orders.csv' }).selections[0]?.destinationTable).toBe('_2024_orders_csv');
  expect(check({ name: 'a view' }).selections[0]?.destinationTable).toBe('a_view');
});

test('a stream that the source does not offer is NOT_FOUND with what was probably meant', () => {
  expect(problems({ name: 'uesrs' })).toEqual([
    'NOT_FOUND streams.0.name: The source offers no stream "uesrs". Did you mean "public.users"?',
  ]);
  expect(problems({ name: 'something' })[0]).toContain(
    'It offers: public.users, public.visits, public.a view, 2024 orders.csv.',
  );
  expect(problems({ name: 'usesr', namespace: 'public' })).toEqual([
    'NOT_FOUND streams.0.name: The source offers no stream "public.usesr". Did you mean "public.users"?',
  ]);
  expect(problems({ name: 'users', namespace: 'crm' })[0]).toContain(
    'no stream "crm.users". Did you mean "public.users"?',
  );
});

test('a name in several namespaces needs its namespace', () => {
  expect(problems({}, [users, crmUsers])).toEqual([
    'INVALID streams.0.namespace: The source offers "users" in several namespaces. Name one of "public", "crm".',
  ]);
  expect(problems({ namespace: 'crm' }, [users, crmUsers])).toEqual([]);
});

test('modes that source or destination cannot are UNSUPPORTED with those they can', () => {
  expect(problems({ name: 'a view', syncMode: 'INCREMENTAL' })[0]).toBe(
    'UNSUPPORTED streams.0.syncMode: The stream "public.a view" cannot be read as INCREMENTAL. Use FULL_REFRESH.',
  );
  expect(problems({ writeMode: 'UPSERT' }, offered, ['OVERWRITE', 'APPEND'])).toEqual([
    'UNSUPPORTED streams.0.writeMode: The destination cannot UPSERT. Use OVERWRITE or APPEND.',
  ]);
  expect(problems({ syncMode: 'INCREMENTAL', cursorField: 'id', writeMode: 'OVERWRITE' })[0]).toContain(
    'UNSUPPORTED streams.0.writeMode: OVERWRITE with INCREMENTAL would drop what was read before.',
  );
});

test('UPSERT needs a primary key, of columns that exist', () => {
  expect(problems({ name: 'visits', writeMode: 'UPSERT' })[0]).toContain('REQUIRED streams.0.primaryKey');
  expect(problems({ name: 'visits', writeMode: 'UPSERT', primaryKey: ['id', 'naem'] })).toEqual([
    'INVALID streams.0.primaryKey: The stream has no column "naem". Did you mean "name"?',
  ]);
  expect(problems({ name: 'visits', writeMode: 'UPSERT', primaryKey: ['id'] })).toEqual([]);
});

test('INCREMENTAL needs a cursor field where the source does', () => {
  expect(problems({ syncMode: 'INCREMENTAL' })).toEqual([
    'REQUIRED streams.0.cursorField: INCREMENTAL needs the column that tells new rows of "public.users" from old ones. Use one of: id, updated_at.',
  ]);
  expect(problems({ syncMode: 'INCREMENTAL', cursorField: 'updatedat' })[0]).toContain(
    'Did you mean "updated_at"?',
  );
  expect(problems({ syncMode: 'INCREMENTAL', name: '2024 orders.csv' })).toEqual([]);
  expect(problems({ syncMode: 'INCREMENTAL', name: '2024 orders.csv', cursorField: 'id' })[0]).toContain(
    'INVALID streams.0.cursorField',
  );
});

test('selected columns exist, are named once, and hold key and cursor', () => {
  expect(problems({ selectedColumns: ['id', 'nam', 'id'] })).toEqual([
    'INVALID streams.0.selectedColumns: The stream has no column "nam". Did you mean "name"?',
    'INVALID streams.0.selectedColumns: The column "id" is named twice. Name each column once.',
  ]);
  expect(problems({ selectedColumns: [] })[0]).toContain('names no column');
  const upsert = { syncMode: 'INCREMENTAL', cursorField: 'updated_at', selectedColumns: ['name'] } as const;
  expect(problems(upsert)[0]).toContain('leaves out id, updated_at');
});

test('each stream is named once, and each table written by one stream, in any case where that means no other', () => {
  expect(problems([{}, {}])).toEqual([
    'NOT_UNIQUE streams.1.name: The stream "public.users" is named twice. Name each stream once.',
  ]);
  expect(problems([{}, { name: 'visits', destinationTable: 'USERS' }])[0]).toContain(
    'NOT_UNIQUE streams.1.destinationTable',
  );
  expect(problems([{}, { name: 'visits', destinationTable: 'USERS' }], offered, all, false)).toEqual([]);
  expect(problems([{}, { name: 'visits', destinationTable: 'users' }], offered, all, false)[0]).toContain(
    'NOT_UNIQUE streams.1.destinationTable',
  );
});

test.each(['1a', 'a b', 'a"b', '', 'a'.repeat(64), 'a.b'])(
  '"%s" is no name of a table',
  (destinationTable) => {
    expect(problems({ destinationTable })[0]).toContain('INVALID streams.0.destinationTable');
  },
);

test('a job without streams is refused, and problems of all streams come at once', () => {
  expect(checkStreams([], offered, { writeModes: all, ignoresCase: true }).problems).toMatchObject([
    { code: 'REQUIRED', path: ['streams'] },
  ]);
  expect(
    problems([{ name: 'nothing' }, { syncMode: 'INCREMENTAL' }, { name: 'visits', writeMode: 'UPSERT' }])
      .length,
  ).toBe(3);
});

test('a difference needs a comparable stream, INCREMENTAL, a key and, to mirror removals, UPSERT', () => {
  const copies = [
    { ...users, comparable: true as const },
    { ...visits, comparable: true as const },
  ];
  const by = { syncMode: 'INCREMENTAL' as const, difference: {} };
  expect(check(by, copies)).toMatchObject({
    problems: [],
    selections: [{ writeMode: 'UPSERT', cursorField: null, difference: { mirrorRemovals: false } }],
  });
  expect(problems(by)).toEqual([
    expect.stringMatching(/^UNSUPPORTED streams\.0\.difference: .*cannot be compared/),
  ]);
  expect(problems({ ...by, syncMode: 'FULL_REFRESH' }, copies)).toEqual([
    expect.stringMatching(/^INVALID streams\.0\.difference: FULL_REFRESH reads all rows/),
  ]);
  expect(problems({ ...by, cursorField: 'id' }, copies)).toEqual([
    expect.stringMatching(/^INVALID streams\.0\.cursorField: .*either by a cursor or by difference/),
  ]);
  expect(problems({ ...by, name: 'visits' }, copies)).toEqual([
    expect.stringMatching(/^REQUIRED streams\.0\.primaryKey: A difference needs a primary key/),
  ]);
  expect(problems({ ...by, writeMode: 'APPEND', difference: { mirrorRemovals: true } }, copies)).toEqual([
    expect.stringMatching(/^UNSUPPORTED streams\.0\.difference: APPEND cannot mirror removed rows/),
  ]);
  expect(problems({ ...by, selectedColumns: ['name'] }, copies)).toEqual([
    expect.stringMatching(/^INVALID streams\.0\.selectedColumns: selectedColumns leaves out id/),
  ]);
});
