import type { SaidColumn } from '#catalog/save-tables.ts';
import { fqnOf } from '#catalog/tables.ts';
import { Prisma } from '#generated/prisma/client.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { type Context, viewerOf } from './context.ts';
import { latestMoment } from './created-order.ts';
import { connect, type Connection, type Order, type Page, type PageArgs, parsePage } from './page.ts';
import { rowsOf } from './rows.ts';
import { columnFqns, columnHolds, columnsSql, whereFqn } from './table-conditions.ts';

/** A column with the fqn of its table. */
export interface ColumnShape extends SaidColumn {
  tableFqn: string;
}

export const Column = builder.objectRef<ColumnShape>('Column').implement({
  description: 'A column of a table, as the catalog last saw it. Needs DATA_READ.',
  fields: (t) => ({
    fqn: t.string({
      description: 'datastore.database.schema.table.column',
      resolve: (column) => `${column.tableFqn}.${column.name}`,
    }),
    name: t.exposeString('name', { description: 'Its name.' }),
    dataType: t.exposeString('dataType', {
      description: "The engine's own name of its type, such as DECIMAL(38,2).",
    }),
    nullable: t.exposeBoolean('nullable', { description: 'Whether it may be without a value.' }),
    ordinal: t.exposeInt('ordinal', { description: 'Its place in the table: 1 for the first.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it holds, in words. Null when nobody said.',
    }),
  }),
});

/** A column in the list of all: where its table stands there, and its own place in the table. */
type ListedColumn = ColumnShape & { tableId: string; createdAt: Date };

interface ColumnKey {
  at: Date;
  tableId: string;
  ordinal: number;
}

const cursorPattern = /^column\|(\d{1,15})\|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\|(\d{1,9})$/;

const columnOrder: Order<ListedColumn, ColumnKey> = {
  cursorOf: ({ createdAt, tableId, ordinal }) =>
    Buffer.from(`column|${createdAt.getTime()}|${tableId}|${ordinal}`).toString('base64url'),
  keyOf(cursor) {
    const decoded = Buffer.from(cursor, 'base64url').toString('utf8');
    const [, at, tableId, ordinal] = cursorPattern.exec(decoded) ?? [];
    if (tableId === undefined || Number(at) > latestMoment) return null;
    return { at: new Date(Number(at)), tableId, ordinal: Number(ordinal) };
  },
};

builder.queryFields((t) => ({
  column: t.field({
    type: Column,
    nullable: true,
    description: 'One column, by its fqn. Null when the project has none such. Needs DATA_READ.',
    args: {
      fqn: t.arg.string({ required: true, description: 'datastore.database.schema.table.column, exactly.' }),
    },
    resolve: (_root, { fqn }, context) => findColumn(context, fqn),
  }),
  columns: t.field({
    type: connectionOf(Column, 'Column', 'columns'),
    description:
      'The columns of all tables of the project, those of the tables that the catalog has known longest first. Needs DATA_READ.',
    args: {
      search: t.arg.string({
        description: 'Only those whose fqn or description holds this, in any case. Null for all.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context) => listColumns(context, args, args.search),
  }),
}));

async function findColumn(context: Context, fqn: string): Promise<ColumnShape | null> {
  const ways = columnFqns(fqn);
  if (ways.length === 0) return null;
  const tables = await context.app.store.db.catalogTable.findMany({
    where: {
      AND: [{ OR: ways.map(({ table }) => whereFqn(table)) }, rowsOf('Table').scope(viewerOf(context))],
    },
    include: { datastore: { select: { name: true } } },
  });
  for (const table of tables) {
    const tableFqn = fqnOf(table, table.datastore.name);
    const name = ways.find((way) => way.table === tableFqn)?.column;
    // Written by the catalog alone, in this shape.
    const column = (table.columns as unknown as SaidColumn[]).find((each) => each.name === name);
    if (column) return { ...column, tableFqn };
  }
  return null;
}

function listColumns(
  context: Context,
  args: PageArgs,
  search: string | null | undefined,
): Connection<ListedColumn> {
  const { db } = context.app.store;
  const page = parsePage<ColumnKey>(args, columnOrder);
  const from = Prisma.sql`
    FROM catalog_table c JOIN datastore d ON d.id = c.datastore_id CROSS JOIN LATERAL ${columnsSql} AS col(value)
    WHERE c.project_id = ${viewerOf(context).projectId}::uuid AND c.gone_at IS NULL
      AND ${search == null || search === '' ? Prisma.sql`TRUE` : columnHolds(search)}`;
  return connect<ListedColumn, ColumnKey>(page, columnOrder, {
    rows: () => readColumns(context, from, page),
    async existsFrom(key, side) {
      const found = await db.$queryRaw<object[]>`SELECT 1 ${from} AND ${beyond(key, side, true)} LIMIT 1`;
      return found.length > 0;
    },
    async count() {
      const [counted] = await db.$queryRaw<{ count: number }[]>`SELECT count(*)::int AS count ${from}`;
      return counted?.count ?? 0;
    },
  });
}

async function readColumns(
  context: Context,
  from: Prisma.Sql,
  page: Page<ColumnKey>,
): Promise<ListedColumn[]> {
  const direction = Prisma.raw(page.fromEnd ? 'DESC' : 'ASC');
  const rows = await context.app.store.db.$queryRaw<
    { tableId: string; createdAt: Date; tableFqn: string; column: SaidColumn }[]
  >`
    SELECT c.id::text AS "tableId", c.created_at AS "createdAt", col.value AS column,
      concat_ws('.', d.name, c.database, c.schema, c.name) AS "tableFqn"
    ${from} AND ${page.after ? beyond(page.after, 'after', false) : Prisma.sql`TRUE`}
      AND ${page.before ? beyond(page.before, 'before', false) : Prisma.sql`TRUE`}
    ORDER BY c.created_at ${direction}, c.id ${direction}, (col.value ->> 'ordinal')::int ${direction}
    LIMIT ${page.size + 1}`;
  return rows.map(({ column, ...table }) => ({ ...column, ...table }));
}

/** The condition on columns beyond a key towards that side, or at it too. The first part alone finds its place in the index. */
function beyond(
  { at, tableId, ordinal }: ColumnKey,
  side: 'before' | 'after',
  inclusive: boolean,
): Prisma.Sql {
  const than = side === 'after' ? '>' : '<';
  const moment = Prisma.sql`${at.toISOString()}::timestamptz`;
  return Prisma.sql`c.created_at ${Prisma.raw(`${than}=`)} ${moment}
    AND (c.created_at, c.id, (col.value ->> 'ordinal')::int) ${Prisma.raw(inclusive ? `${than}=` : than)}
      (${moment}, ${tableId}::uuid, ${ordinal}::int)`;
}
