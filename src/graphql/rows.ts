import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { inAccount, inProject, presentTables, visible, visibleApiKeys } from '#accounts/visible.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import type { Db } from '#store/open-store.ts';
import { batched } from './batch.ts';
import { type Context, viewerOf } from './context.ts';
import { uuidOf } from './global-id.ts';

/** What is used of a Prisma model's delegate, whichever the model: rows come as their type's selection asks. */
export interface Rows {
  findMany(args: object): PromiseLike<object[]>;
  findFirst(args: object): PromiseLike<object | null>;
  count(args: object): PromiseLike<number>;
}

/** A node type: where its rows are, and which of them a viewer may know of. */
interface NodeRows {
  rows: (db: Db) => Rows;
  scope: (viewer: Viewer) => object;
}

/** Every node type by its name in the schema. A type that is not here cannot be found by id. */
const nodeRows = {
  Account: { rows: (db) => db.account, scope: (viewer) => ({ id: viewer.accountId }) },
  Project: {
    rows: (db) => db.project,
    // A program belongs to one project and does not see that there are others.
    scope: (viewer) => ({ ...inAccount(viewer), ...(viewer.memberId === null && { id: viewer.projectId }) }),
  },
  Member: { rows: (db) => db.member, scope: inAccount },
  ApiKey: { rows: (db) => db.apiKey, scope: visibleApiKeys },
  Datastore: { rows: (db) => db.datastore, scope: visible },
  Table: { rows: (db) => db.catalogTable, scope: presentTables },
  Source: { rows: (db) => db.source, scope: visible },
  Destination: { rows: (db) => db.destination, scope: visible },
  Job: { rows: (db) => db.job, scope: visible },
  Transformation: { rows: (db) => db.transformation, scope: visible },
  Task: { rows: (db) => db.task, scope: inProject },
  Endpoint: { rows: (db) => db.endpoint, scope: visible },
  Metric: { rows: (db) => db.metric, scope: visible },
  Signal: { rows: (db) => db.signal, scope: visible },
  SignalEvaluation: {
    rows: (db) => db.signalEvaluation,
    scope: (viewer) => ({ ...inProject(viewer), signal: { deletedAt: null } }),
  },
} satisfies Record<string, NodeRows>;

export type NodeType = keyof typeof nodeRows;

/** Where the rows of that type are, and which of them a viewer may know of. */
export function rowsOf(type: NodeType): NodeRows {
  return nodeRows[type];
}

export function isNodeType(typename: string): typename is NodeType {
  return Object.hasOwn(nodeRows, typename);
}

/**
 * What is selected of a node type below a field. Pothos remembers by the field's own path what was loaded for it, so
 * that every parent must ask for itself, even where one statement serves all of them: without that, each row below the
 * other parents is loaded once more.
 */
export function selectionOf(
  context: Context,
  info: GraphQLResolveInfo,
  type: NodeType,
  below?: { paths: string[][]; select: Record<string, true> },
): object {
  return queryFromInfo({ context, info, typeName: type, select: { id: true }, ...below });
}

/** The rows of these ids that the viewer may know of, in order, null for the others. One statement. */
export async function readRows<Row>(
  context: Context,
  selection: object,
  type: NodeType,
  ids: readonly string[],
): Promise<(Row | null)[]> {
  const { rows, scope } = rowsOf(type);
  const found = await rows(context.app.store.db).findMany({
    ...selection,
    where: { AND: [{ id: { in: [...new Set(ids)] } }, scope(viewerOf(context))] },
  });
  // Every selection has the id at least.
  const byId = new Map(found.map((row) => [(row as { id: string }).id, row as Row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** The row of that id, null when the viewer may not know of it. Many parents asking for theirs cost one statement. */
export async function readRow<Row>(
  context: Context,
  info: GraphQLResolveInfo,
  type: NodeType,
  id: string | null | undefined,
): Promise<Row | null> {
  if (id == null) return null;
  const selection = selectionOf(context, info, type);
  return batched(context, info, type, id, (ids) => readRows<Row>(context, selection, type, ids));
}

/** The first row that fits, null when there is none that the viewer may know of. */
export async function findRow<Row>(
  context: Context,
  info: GraphQLResolveInfo,
  type: NodeType,
  where: object,
): Promise<Row | null> {
  const { rows, scope } = rowsOf(type);
  const found = await rows(context.app.store.db).findFirst({
    ...selectionOf(context, info, type),
    where: { AND: [where, scope(viewerOf(context))] },
  });
  return found as Row | null;
}

/** The condition that an id or a name (or both) of a query's arguments stands for. Fails with BAD_USER_INPUT without either. */
export function whichOne(
  type: NodeType,
  args: { id?: string | null; name?: string | null },
): { id?: string; name?: string } {
  if (args.id == null && args.name == null) {
    throw new AppError('BAD_USER_INPUT', 'Neither id nor name is given.', { fix: 'Give one of them.' });
  }
  return {
    ...(args.id != null && { id: uuidOf(type, args.id) }),
    ...(args.name != null && { name: args.name }),
  };
}
