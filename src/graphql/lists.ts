import type { GraphQLResolveInfo } from 'graphql';
import { Prisma } from '#generated/prisma/client.ts';
import { batched, batchedByKey } from './batch.ts';
import { type Context, viewerOf } from './context.ts';
import type { CreatedKey, CreatedOrder, CreatedRow } from './created-order.ts';
import { connect, type Connection, type Page, type PageArgs, parsePage } from './page.ts';
import { type NodeType, rowsOf, selectionOf } from './rows.ts';

/** Where a connection's fields say what is selected of its nodes. */
const nodePaths = [['nodes'], ['edges', 'node']];

interface ListOptions {
  context: Context;
  info: GraphQLResolveInfo;
  type: NodeType;
  order: CreatedOrder;
  args: PageArgs;
}

/** A list of a type that hangs on no other thing. Costs one statement a page, and one for totalCount if it is asked for. */
export function listRows<Row extends CreatedRow>(options: ListOptions & { where?: object }): Connection<Row> {
  const { context, info, type, order } = options;
  const page = parsePage<CreatedKey>(options.args, order);
  const rows = rowsOf(type).rows(context.app.store.db);
  const where = { AND: [rowsOf(type).scope(viewerOf(context)), options.where ?? {}] };
  return connect<Row, CreatedKey>(page, order, {
    async rows() {
      const found = await rows.findMany({
        ...nodeSelection(context, info, type),
        where: { AND: [where, order.where(page)] },
        orderBy: order.orderBy(page),
        take: page.size + 1,
      });
      return found as Row[];
    },
    async existsFrom(key, side) {
      const found = await rows.findFirst({
        select: { id: true },
        where: { AND: [where, order.from(key, side)] },
      });
      return found !== null;
    },
    count: async () => rows.count({ where }),
  });
}

/** Rows that belong to a parent: their table, the column that names the parent, and what else holds for them (as c). */
interface NestedOptions extends ListOptions {
  parentId: string;
  table: 'job' | 'task' | 'catalog_table' | 'signal_evaluation';
  parentColumn:
    | 'project_id'
    | 'source_id'
    | 'destination_id'
    | 'job_id'
    | 'transformation_id'
    | 'datastore_id'
    | 'signal_id';
  where?: Prisma.Sql;
}

/**
 * A list of what belongs to one thing. The lists of all things that one query names cost two statements together: one
 * walks the index (parent, createdAt, id) once a parent for the ids of its page, one reads those rows as selected.
 */
export function listNested<Row extends CreatedRow>(options: NestedOptions): Connection<Row> {
  const { context, info, order, parentId } = options;
  const page = parsePage<CreatedKey>(options.args, order);
  return connect<Row, CreatedKey>(page, order, {
    rows() {
      const selection = nodeSelection(context, info, options.type);
      return batchedByKey<Row[]>(context, info, 'rows', parentId, [], (parents) =>
        readNested(options, parents, page, page.size + 1, selection),
      );
    },
    existsFrom: (key, side) =>
      batchedByKey(context, info, side, parentId, false, (parents) =>
        existNested(options, parents, order.fromSql(key, side)),
      ),
    count: () =>
      batchedByKey(context, info, 'count', parentId, 0, (parents) => countNested(options, parents)),
  });
}

/** The first row of each parent's list, null where it is empty. Many parents cost two statements. */
export function firstNested<Row extends CreatedRow>(
  options: Omit<NestedOptions, 'args'>,
): Promise<Row | null> {
  const { context, info, order } = options;
  const page = parsePage<CreatedKey>({ first: 1 }, order);
  const selection = selectionOf(context, info, options.type);
  return batched(context, info, 'first', options.parentId, async (parents) => {
    const rows = await readNested<Row>(options, parents, page, 1, selection);
    return parents.map((parent) => rows.get(parent)?.[0] ?? null);
  });
}

function nodeSelection(context: Context, info: GraphQLResolveInfo, type: NodeType): object {
  return selectionOf(context, info, type, { paths: nodePaths, select: { id: true, createdAt: true } });
}

async function readNested<Row extends CreatedRow>(
  options: Omit<NestedOptions, 'args'>,
  parents: readonly string[],
  page: Page<CreatedKey>,
  take: number,
  selection: object,
): Promise<Map<string, Row[]>> {
  const { db } = options.context.app.store;
  const found = await db.$queryRaw<{ parent: string; id: string }[]>(Prisma.sql`
    SELECT p.id::text AS parent, c.id::text AS id
    FROM unnest(${[...parents]}::uuid[]) AS p(id)
    CROSS JOIN LATERAL (
      SELECT c.id, c.created_at FROM ${Prisma.raw(options.table)} c
      WHERE c.${Prisma.raw(options.parentColumn)} = p.id AND ${scopeSql(options)} AND ${options.order.whereSql(page)}
      ORDER BY ${options.order.orderBySql(page)} LIMIT ${take}
    ) c
    ORDER BY ${options.order.orderBySql(page)}`);
  const answers = new Map<string, Row[]>();
  if (found.length === 0) return answers;
  const rows = await rowsOf(options.type)
    .rows(db)
    .findMany({
      ...selection,
      where: {
        AND: [
          { id: { in: found.map((each) => each.id) } },
          rowsOf(options.type).scope(viewerOf(options.context)),
        ],
      },
    });
  const byId = new Map(rows.map((row) => [(row as Row).id, row as Row]));
  for (const { parent, id } of found) {
    const row = byId.get(id);
    // A row that was deleted between the two statements is on no page.
    if (row === undefined) continue;
    const ofParent = answers.get(parent);
    if (ofParent === undefined) answers.set(parent, [row]);
    else ofParent.push(row);
  }
  return answers;
}

const aliveSql: Record<NestedOptions['table'], Prisma.Sql> = {
  job: Prisma.sql`c.deleted_at IS NULL`,
  task: Prisma.sql`TRUE`,
  catalog_table: Prisma.sql`c.gone_at IS NULL`,
  signal_evaluation: Prisma.sql`TRUE`,
};

/**
 * What the list's own condition and the visibility filter say, for the table named c. The project is compared as text, so
 * that no index is walked for it: the parent's index alone finds the few rows there are, where the project's would be
 * walked past those of all other parents.
 */
function scopeSql(options: Omit<NestedOptions, 'args'>): Prisma.Sql {
  const { projectId } = viewerOf(options.context);
  const alive = aliveSql[options.table];
  return Prisma.sql`c.project_id::text = ${projectId} AND ${alive} AND ${options.where ?? Prisma.sql`TRUE`}`;
}

async function existNested(
  options: NestedOptions,
  parents: readonly string[],
  where: Prisma.Sql,
): Promise<Map<string, boolean>> {
  const found = await options.context.app.store.db.$queryRaw<{ parent: string }[]>(Prisma.sql`
    SELECT p.id::text AS parent FROM unnest(${[...parents]}::uuid[]) AS p(id)
    WHERE EXISTS (
      SELECT 1 FROM ${Prisma.raw(options.table)} c
      WHERE c.${Prisma.raw(options.parentColumn)} = p.id AND ${scopeSql(options)} AND ${where}
    )`);
  return new Map(found.map(({ parent }) => [parent, true]));
}

async function countNested(options: NestedOptions, parents: readonly string[]): Promise<Map<string, number>> {
  const column = Prisma.raw(options.parentColumn);
  const counted = await options.context.app.store.db.$queryRaw<
    { parent: string; count: number }[]
  >(Prisma.sql`
    SELECT c.${column}::text AS parent, count(*)::int AS count FROM ${Prisma.raw(options.table)} c
    WHERE c.${column} = ANY(${[...parents]}::uuid[]) AND ${scopeSql(options)}
    GROUP BY c.${column}`);
  return new Map(counted.map(({ parent, count }) => [parent, count]));
}

/** The condition on a name that a search asks for: it holds the text, in any case. No text asks for nothing. */
export function nameHolds(
  search: string | null | undefined,
): { contains: string; mode: 'insensitive' } | undefined {
  if (search == null || search === '') return undefined;
  return { contains: escapeLike(search), mode: 'insensitive' };
}

/** The text as LIKE finds it: its wildcards mean themselves. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
