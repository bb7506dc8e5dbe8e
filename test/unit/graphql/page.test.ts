import { expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { createdOrder, type CreatedKey, type CreatedRow } from '#graphql/created-order.ts';
import { connect, type ListReader, type Page, type PageArgs, parsePage } from '#graphql/page.ts';

const order = createdOrder('thing', 'oldest first');
const newestFirst = createdOrder('thing', 'newest first');
const row = (n: number): CreatedRow => ({
  id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`,
  // Pairs share a moment, so that the id decides between them.
  createdAt: new Date(Date.UTC(2026, 0, 1) + Math.floor(n / 2)),
});
const rows = Array.from({ length: 10 }, (_, n) => row(n));
const cursor = (n: number) => order.cursorOf(row(n));

/** The list as an array: what a reader must give, by the plainest means. */
function readerOf(all: CreatedRow[]): ListReader<CreatedRow, CreatedKey> & { reads: number } {
  const place = (key: CreatedKey) => all.findIndex((each) => each.id === key.id);
  const reader = {
    reads: 0,
    rows(page: Page<CreatedKey>) {
      reader.reads++;
      const from = page.after ? place(page.after) + 1 : 0;
      const to = page.before ? place(page.before) : all.length;
      const range = all.slice(from, Math.max(from, to));
      return Promise.resolve((page.fromEnd ? range.toReversed() : range).slice(0, page.size + 1));
    },
    existsFrom: (key: CreatedKey, side: 'before' | 'after') =>
      Promise.resolve(side === 'after' ? place(key) < all.length : place(key) >= 0),
    count: () => Promise.resolve(all.length),
  };
  return reader;
}

async function read(args: PageArgs) {
  const page = connect(parsePage<CreatedKey>(args, order), order, readerOf(rows));
  const edges = await page.edges;
  const { hasNextPage, hasPreviousPage, startCursor, endCursor } = pageInfoOf(page);
  return {
    numbers: edges.map(({ node }) => rows.indexOf(node)),
    hasNextPage: await hasNextPage,
    hasPreviousPage: await hasPreviousPage,
    startCursor: await startCursor,
    endCursor: await endCursor,
  };
}

/** The fields as they are: promises, which Pothos has no type for. */
function pageInfoOf(page: { pageInfo: object }): Record<string, Promise<unknown>> {
  return page.pageInfo as Record<string, Promise<unknown>>;
}

test('first and after page forward, and say truly whether there is more on either side', async () => {
  expect(await read({ first: 4 })).toEqual({
    numbers: [0, 1, 2, 3],
    hasNextPage: true,
    hasPreviousPage: false,
    startCursor: cursor(0),
    endCursor: cursor(3),
  });
  expect(await read({ first: 4, after: cursor(5) })).toMatchObject({
    numbers: [6, 7, 8, 9],
    hasNextPage: false,
    hasPreviousPage: true,
  });
});

test('last and before page backward, in the order of the list', async () => {
  expect(await read({ last: 3 })).toMatchObject({
    numbers: [7, 8, 9],
    hasNextPage: false,
    hasPreviousPage: true,
  });
  expect(await read({ last: 3, before: cursor(3) })).toMatchObject({
    numbers: [0, 1, 2],
    hasNextPage: true,
    hasPreviousPage: false,
  });
});

test('after and before together cut a range out of the list', async () => {
  expect(await read({ first: 2, after: cursor(1), before: cursor(6) })).toMatchObject({
    numbers: [2, 3],
    hasNextPage: true,
    hasPreviousPage: true,
  });
});

test('an empty page has no cursors', async () => {
  expect(await read({ first: 0 })).toEqual({
    numbers: [],
    hasNextPage: true,
    hasPreviousPage: false,
    startCursor: null,
    endCursor: null,
  });
});

test('a page without arguments has 25, and no row is read before edges or pageInfo are asked for', async () => {
  const many = Array.from({ length: 30 }, (_, n) => row(n));
  const reader = readerOf(many);
  const page = connect(parsePage<CreatedKey>({}, order), order, reader);
  expect(await page.totalCount()).toBe(30);
  expect(reader.reads).toBe(0);
  expect((await page.edges).length).toBe(25);
  expect(await pageInfoOf(page).hasNextPage).toBe(true);
  expect(reader.reads).toBe(1);
});

test.each<[string, PageArgs, RegExp]>([
  ['more than 100', { first: 101 }, /first: 101 is not a page size: 0 to 100/],
  ['more than 100 from the end', { last: 1000 }, /last: 1000/],
  ['a negative number', { first: -1 }, /first: -1/],
  ['first with last', { first: 1, last: 1 }, /exclude each other/],
  ['garbage as a cursor', { after: 'garbage' }, /after: "garbage" is not a cursor of this list/],
  [
    'a cursor of a list in another order',
    { after: newestFirst.cursorOf(row(1)) },
    /not a cursor of this list/,
  ],
  [
    'a cursor of a list of other things',
    { before: createdOrder('other', 'oldest first').cursorOf(row(1)) },
    /not a cursor/,
  ],
])('%s is refused with BAD_USER_INPUT', (_what, args, message) => {
  const error = thrownBy(() => parsePage(args, order));
  expect(error.code).toBe('BAD_USER_INPUT');
  expect(error.message).toMatch(message);
  expect(error.fix).toBeTruthy();
});

test('a cursor is read back to the millisecond and the id it was made of', () => {
  expect(order.keyOf(cursor(7))).toEqual({ at: row(7).createdAt, id: row(7).id });
});

test('a made-up cursor of a time that no row can have is refused', () => {
  for (const at of ['-1', '253402300800000', '9'.repeat(30)]) {
    const made = Buffer.from(`thing_oldest|${at}|${row(1).id}`).toString('base64url');
    expect(thrownBy(() => parsePage({ after: made }, order)).code).toBe('BAD_USER_INPUT');
  }
});

test('the condition of a page is a range of createdAt with a filter on both, so that an index can start there', () => {
  const key = { at: row(3).createdAt, id: row(3).id };
  const page = { size: 1, fromEnd: false, after: key, before: null };
  expect(order.where(page)).toEqual({
    AND: [{ createdAt: { gte: key.at }, OR: [{ createdAt: { gt: key.at } }, { id: { gt: key.id } }] }],
  });
  expect(newestFirst.where(page)).toEqual({
    AND: [{ createdAt: { lte: key.at }, OR: [{ createdAt: { lt: key.at } }, { id: { lt: key.id } }] }],
  });
  expect(order.whereSql(page).sql).toContain('c.created_at >= ');
});

function thrownBy(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
