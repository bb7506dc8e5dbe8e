import { demand, needOfType } from '#accounts/permissions.ts';
import { AppError } from '#base/errors.ts';
import type { GraphQLResolveInfo } from 'graphql';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { readEntityNodes } from './entity-reads.ts';
import { decodeId, readEntityId } from './global-id.ts';
import { isNodeType, type NodeType, readRows, selectionOf } from './rows.ts';

const Node = builder.nodeInterfaceRef();

const idsMax = 100;

builder.queryFields((t) => ({
  node: t.field({
    type: Node,
    nullable: true,
    description:
      'Anything by its id. Null when there is no such thing in the project of whoever asks. Needs what the type of the thing needs.',
    args: { id: t.arg.id({ required: true, description: 'A global id, as any id field gave it.' }) },
    resolve: async (_root, args, context, info) => (await readNodes(context, info, [args.id]))[0] ?? null,
  }),
  nodes: t.field({
    type: [Node],
    nullable: { list: false, items: true },
    description:
      'Many things by their ids, in the order of the ids; null in the place of each that does not exist in the project of whoever asks. At most 100.',
    args: { ids: t.arg.idList({ required: true, description: 'Global ids, as any id field gave them.' }) },
    complexity: (args) => ({ field: 1, multiplier: args.ids.length }),
    resolve: (_root, args, context, info) => readNodes(context, info, args.ids),
  }),
}));

/** Every id is checked for its form and its type's permission before any is looked for; then one statement a type. */
async function readNodes(
  context: Context,
  info: GraphQLResolveInfo,
  ids: readonly string[],
): Promise<(object | null)[]> {
  if (ids.length > idsMax) {
    throw new AppError('BAD_USER_INPUT', `ids has ${ids.length} ids; at most ${idsMax} are allowed.`, {
      fix: 'Ask for them in several queries.',
    });
  }
  const asked = ids.map((id) => ({ ...(readEntityId(id) ?? decodeNodeId(id)), id }));
  for (const { typename } of asked) demand(context.viewer, needOfType(typename));

  const found = new Map<string, object>();
  for (const type of new Set(asked.map(({ typename }) => typename))) {
    const ofType = asked.filter(({ typename }) => typename === type);
    const keys = ofType.map(({ key }) => key);
    const rows: (object | null)[] = isNodeType(type)
      ? await readRows(context, selectionOf(context, info, type), type, keys)
      : await readEntityNodes(context, info, type, keys);
    for (const [index, row] of rows.entries()) {
      if (row === null) continue;
      // By this the interface tells what type the row is of.
      found.set((ofType[index] as { id: string }).id, Object.assign(row, { __typename: type }));
    }
  }
  return ids.map((id) => found.get(id) ?? null);
}

function decodeNodeId(id: string): { typename: NodeType; key: string } {
  const { typename, uuid } = decodeId(id);
  if (isNodeType(typename)) return { typename, key: uuid };
  throw new AppError('BAD_USER_INPUT', `${JSON.stringify(id.slice(0, 100))} is not an id of this API.`, {
    fix: 'Use an id that the API gave; ids are opaque and cannot be made up.',
  });
}
