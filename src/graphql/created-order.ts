import { Prisma } from '#generated/prisma/client.ts';
import type { Order, Page } from './page.ts';

/** The place of a row that was created: its moment, and its id among those of the same moment. */
export interface CreatedKey {
  at: Date;
  id: string;
}

export interface CreatedRow {
  id: string;
  createdAt: Date;
}

/** A list by (createdAt, id), the order that every table of the store has an index for. */
export interface CreatedOrder extends Order<CreatedRow, CreatedKey> {
  /** The condition on the rows of the page, for Prisma. */
  where(page: Page<CreatedKey>): object;
  orderBy(page: Page<CreatedKey>): object[];
  /** The same two for SQL; the table is named c. */
  whereSql(page: Page<CreatedKey>): Prisma.Sql;
  orderBySql(page: Page<CreatedKey>): Prisma.Sql;
  /** The condition on rows at the key or beyond it, towards that side. */
  from(key: CreatedKey, side: 'before' | 'after'): object;
  fromSql(key: CreatedKey, side: 'before' | 'after'): Prisma.Sql;
}

const cursorPattern = /^(\w+)\|(\d+)\|([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** The end of the year 9999: later ones are written in a way that Postgres does not read. */
export const latestMoment = 253_402_300_799_999;

/**
 * `list` names what is listed: a cursor is taken only by lists of the same thing in the same direction.
 *
 * Conditions are written as a range of the first column and a filter on both: Postgres then starts its walk of the
 * index at the cursor, wherever that is, and drops at most the rows of the cursor's own millisecond.
 */
export function createdOrder(list: string, direction: 'oldest first' | 'newest first'): CreatedOrder {
  const isNewestFirst = direction === 'newest first';
  const tag = `${list}_${isNewestFirst ? 'newest' : 'oldest'}`;
  /** Whether the rows on that side of a key are the later ones. */
  const isLater = (side: 'before' | 'after') => (side === 'after') !== isNewestFirst;
  const isAscending = (page: Page<CreatedKey>) => page.fromEnd === isNewestFirst;

  const bound = (key: CreatedKey, side: 'before' | 'after', inclusive: boolean) => {
    const [than, orAt] = isLater(side) ? ['gt', 'gte'] : ['lt', 'lte'];
    return {
      createdAt: { [orAt]: key.at },
      OR: [{ createdAt: { [than]: key.at } }, { id: { [inclusive ? orAt : than]: key.id } }],
    };
  };
  const boundSql = (key: CreatedKey, side: 'before' | 'after', inclusive: boolean) => {
    const than = Prisma.raw(isLater(side) ? '>' : '<');
    const at = Prisma.sql`${key.at.toISOString()}::timestamptz`;
    const idThan = inclusive ? Prisma.raw(isLater(side) ? '>=' : '<=') : than;
    return Prisma.sql`(c.created_at ${than}= ${at} AND (c.created_at ${than} ${at} OR c.id ${idThan} ${key.id}::uuid))`;
  };

  return {
    cursorOf: (row) => Buffer.from(`${tag}|${row.createdAt.getTime()}|${row.id}`).toString('base64url'),
    keyOf(cursor) {
      const [, readTag, at, id] = cursorPattern.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? [];
      if (readTag !== tag || id === undefined) return null;
      const moment = Number(at);
      return moment <= latestMoment ? { at: new Date(moment), id } : null;
    },
    where: (page) => ({
      AND: [
        ...(page.after ? [bound(page.after, 'after', false)] : []),
        ...(page.before ? [bound(page.before, 'before', false)] : []),
      ],
    }),
    orderBy(page) {
      const sort = isAscending(page) ? 'asc' : 'desc';
      return [{ createdAt: sort }, { id: sort }];
    },
    whereSql: (page) =>
      Prisma.join(
        [
          Prisma.sql`TRUE`,
          ...(page.after ? [boundSql(page.after, 'after', false)] : []),
          ...(page.before ? [boundSql(page.before, 'before', false)] : []),
        ],
        ' AND ',
      ),
    orderBySql: (page) =>
      isAscending(page) ? Prisma.sql`c.created_at, c.id` : Prisma.sql`c.created_at DESC, c.id DESC`,
    from: (key, side) => bound(key, side, true),
    fromSql: (key, side) => boundSql(key, side, true),
  };
}
