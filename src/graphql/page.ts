import { AppError } from '#base/errors.ts';

/** What a list is asked for. */
export interface PageArgs {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

/** Where a row stands in its list. Two rows of one list never have the same key. */
export interface Order<Row, Key> {
  cursorOf(row: Row): string;
  /** Null when the cursor is not one of a list in this order. */
  keyOf(cursor: string): Key | null;
}

/** Which rows are asked for, checked. */
export interface Page<Key> {
  size: number;
  /** True for last: rows are counted from the end. */
  fromEnd: boolean;
  after: Key | null;
  before: Key | null;
}

export const pageSizeDefault = 25;
export const pageSizeMax = 100;

/** How many rows the arguments ask for, without checking them: what a page costs. */
export function pageSizeOf(args: PageArgs): number {
  const asked = args.first ?? args.last ?? pageSizeDefault;
  return Math.min(Math.max(asked, 1), pageSizeMax);
}

/** Checks the arguments of a list. Fails with BAD_USER_INPUT for a bad size, first with last, or a cursor that is not of this list. */
export function parsePage<Key>(args: PageArgs, order: Pick<Order<never, Key>, 'keyOf'>): Page<Key> {
  const { first, last, after, before } = args;
  if (first != null && last != null) {
    throw new AppError('BAD_USER_INPUT', `first: ${first} and last: ${last} exclude each other.`, {
      fix: 'Use first with after to go forward, or last with before to go backward.',
    });
  }
  checkSize('first', first);
  checkSize('last', last);
  return {
    size: first ?? last ?? pageSizeDefault,
    fromEnd: last != null,
    after: parseCursor('after', after, order),
    before: parseCursor('before', before, order),
  };
}

function checkSize(name: string, size: number | null | undefined): void {
  if (size == null || (size >= 0 && size <= pageSizeMax)) return;
  throw new AppError(
    'BAD_USER_INPUT',
    `${name}: ${size} is not a page size: 0 to ${pageSizeMax} are allowed.`,
    {
      fix: `Ask for at most ${pageSizeMax} and go on with the cursors of pageInfo.`,
    },
  );
}

function parseCursor<Key>(
  name: string,
  cursor: string | null | undefined,
  order: Pick<Order<never, Key>, 'keyOf'>,
): Key | null {
  if (cursor == null) return null;
  const key = order.keyOf(cursor);
  if (key !== null) return key;
  const shown = cursor.length > 100 ? `${cursor.slice(0, 100)}…` : cursor;
  throw new AppError('BAD_USER_INPUT', `${name}: ${JSON.stringify(shown)} is not a cursor of this list.`, {
    fix: 'Use a cursor that this very list gave, in edges or pageInfo; without one the list starts at its end.',
  });
}

/** How rows of one list are read. `rows` gives up to size + 1, counted from the asked end, in that direction. */
export interface ListReader<Row, Key> {
  rows(page: Page<Key>): Promise<readonly Row[]>;
  /** Whether a row stands at the key or beyond it, towards that side. */
  existsFrom(key: Key, side: 'before' | 'after'): Promise<boolean>;
  count(): Promise<number>;
}

export interface Edge<Row> {
  cursor: string;
  node: Row;
}

/** A page as the connection types resolve it: nothing is read before it is asked for, and nothing twice. */
export interface Connection<Row> {
  readonly edges: Promise<Edge<Row>[]>;
  readonly pageInfo: PageInfo;
  totalCount: () => Promise<number>;
}

/** Typed as Pothos has it. The fields are getters that may give a promise, which graphql-js awaits. */
interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

type Eventually<T> = { readonly [K in keyof T]: T[K] | Promise<T[K]> };

/** Joins a checked page, its list's order and the reader of its rows into what a connection field returns. */
export function connect<Row, Key>(
  page: Page<Key>,
  order: Pick<Order<Row, Key>, 'cursorOf'>,
  reader: ListReader<Row, Key>,
): Connection<Row> {
  const read = once(async () => {
    const rows = await reader.rows(page);
    const kept = rows.slice(0, page.size);
    if (page.fromEnd) kept.reverse();
    return {
      edges: kept.map((node) => ({ cursor: order.cursorOf(node), node })),
      more: rows.length > page.size,
    };
  });
  const isMore = async (end: boolean, key: Key | null, side: 'before' | 'after') =>
    (page.fromEnd === end && (await read()).more) || (key !== null && (await reader.existsFrom(key, side)));
  const pageInfo: Eventually<PageInfo> = {
    get hasNextPage() {
      return isMore(false, page.before, 'after');
    },
    get hasPreviousPage() {
      return isMore(true, page.after, 'before');
    },
    get startCursor() {
      return read().then(({ edges }) => edges[0]?.cursor ?? null);
    },
    get endCursor() {
      return read().then(({ edges }) => edges.at(-1)?.cursor ?? null);
    },
  };
  return {
    get edges() {
      return read().then(({ edges }) => edges);
    },
    pageInfo: pageInfo as PageInfo,
    totalCount: once(() => reader.count()),
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
