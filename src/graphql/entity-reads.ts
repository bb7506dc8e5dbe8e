import type { GraphQLResolveInfo } from 'graphql';
import { AppError } from '#base/errors.ts';
import type { EntityFilter } from '#catalog/filter-sql.ts';
import { knownMappings, loadMappings } from '#catalog/mappings.ts';
import { type AskedOrder, type EntityKey, entityOrder } from '#entities/entity-order.ts';
import type { EntityField, EntityRow } from '#entities/entity-rows.ts';
import {
  countEntities,
  type EntityReads,
  existsFrom,
  readByKey,
  readByKeys,
  readPage,
} from '#entities/read-entities.ts';
import { countRelated, existRelatedFrom, readPages, readSeen, type Seen } from '#entities/read-related.ts';
import type { ParentField, RelatedList } from '#entities/related-questions.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { batched, batchedByKey, batchedTogether } from './batch.ts';
import { askerOf, type Context } from './context.ts';
import { entityKeyOf, type EntityTypename } from './global-id.ts';
import { connect, type Connection, type PageArgs, parsePage } from './page.ts';
import { selectedFields } from './selected.ts';

const known = new WeakMap<Context, Promise<EntityReads>>();

/** What reading entities takes, the mappings of the viewer's project included: they are loaded once an operation. */
export function readsOf(context: Context): Promise<EntityReads> {
  const reads = known.get(context) ?? rememberedReadsOf(context);
  known.set(context, reads);
  return reads;
}

async function rememberedReadsOf(context: Context): Promise<EntityReads> {
  const deps = context.app.catalog;
  const asker = askerOf(context);
  return { deps, asker, mappings: await knownMappings(deps, asker) };
}

/** As readsOf, with the mappings as they are now: for what has changed them or shows them. */
export async function freshReadsOf(context: Context): Promise<EntityReads> {
  const asker = askerOf(context);
  return {
    deps: context.app.catalog,
    asker,
    mappings: await loadMappings(context.app.store.db, asker.projectId),
  };
}

/** Which columns the fields of User, Organization and Event are made of; those that are not here need the key alone. */
const sources = new Map<string, EntityField>([
  ['name', 'name'],
  ['email', 'email'],
  ['createdAt', 'createdAt'],
  ['at', 'at'],
  ['properties', 'properties'],
  ['user', 'userKey'],
  ['organization', 'organizationKey'],
]);

/** What is to be read of the entities below a field, at these paths. */
export function entityFieldsOf(info: GraphQLResolveInfo, paths?: string[][]): ReadonlySet<EntityField> {
  const fields = [...selectedFields(info, paths)].map((name) => sources.get(name));
  return new Set(fields.filter((field) => field !== undefined));
}

export interface EntityArgs extends PageArgs {
  filter?: EntityFilter | null;
  orderBy?: AskedOrder | null;
}

interface ListOptions {
  context: Context;
  info: GraphQLResolveInfo;
  kind: EntityKind;
  args: EntityArgs;
}

const nodePaths = [['nodes'], ['edges', 'node']];

/** A list of all entities of a kind. Costs one statement of the warehouse a page, and one for totalCount if it is asked for. */
export function listEntities({ context, info, kind, args }: ListOptions): Connection<EntityRow> {
  const order = entityOrder(kind, args.orderBy);
  const page = parsePage<EntityKey>(args, order);
  const list = { kind, order, filter: args.filter };
  const fields = entityFieldsOf(info, nodePaths);
  return connect<EntityRow, EntityKey>(page, order, {
    rows: async () => readPage(await readsOf(context), list, page, fields),
    existsFrom: async (key, side) => existsFrom(await readsOf(context), list, key, side),
    count: async () => countEntities(await readsOf(context), list),
  });
}

/** A list of what belongs to one entity. The lists of all entities that a query names cost one statement together. */
export function listRelated(
  options: ListOptions & { parent: ParentField; parentKey: string },
): Connection<EntityRow> {
  const { context, info, kind, args, parent, parentKey } = options;
  const order = entityOrder(kind, args.orderBy);
  const page = parsePage<EntityKey>(args, order);
  const list: RelatedList = { kind, order, parent, filter: args.filter };
  const fields = entityFieldsOf(info, nodePaths);
  return connect<EntityRow, EntityKey>(page, order, {
    rows: () =>
      batchedByKey<EntityRow[]>(context, info, 'rows', parentKey, [], async (keys) =>
        readPages(await readsOf(context), list, keys, page, fields),
      ),
    existsFrom: (key, side) =>
      batchedByKey(context, info, side, parentKey, false, async (keys) =>
        existRelatedFrom(await readsOf(context), list, keys, key, side),
      ),
    count: async () => Number(await countOf({ ...options, purpose: 'totalCount' })),
  });
}

/** How many entities belong to one. Those of all entities that a query names cost one statement. */
export function countOf(options: {
  context: Context;
  info: GraphQLResolveInfo;
  kind: EntityKind;
  args: Pick<EntityArgs, 'filter'>;
  parent: ParentField;
  parentKey: string;
  purpose?: string;
}): Promise<bigint> {
  const { context, info, kind, args, parent, parentKey, purpose = 'count' } = options;
  return batchedByKey(context, info, purpose, parentKey, 0n, async (keys) =>
    countRelated(await readsOf(context), { kind, parent, filter: args.filter }, keys),
  );
}

/** The entity of that key, null when there is none. Many parents asking for theirs cost one statement. */
export async function entityOf(
  context: Context,
  info: GraphQLResolveInfo,
  kind: EntityKind,
  key: string | null,
): Promise<EntityRow | null> {
  if (key === null) return null;
  const fields = entityFieldsOf(info);
  return batched(context, info, kind, key, async (keys) => {
    const rows = await readByKeys(await readsOf(context), kind, keys, fields);
    return keys.map((each) => rows.get(each) ?? null);
  });
}

/** The entity of a query's arguments, by id, by key, or by both. Fails with BAD_USER_INPUT without either. */
export async function findEntity(
  context: Context,
  info: GraphQLResolveInfo,
  typename: EntityTypename,
  { id, key }: { id?: string | null; key?: string | null },
): Promise<EntityRow | null> {
  if (id == null && key == null) {
    throw new AppError('BAD_USER_INPUT', 'Neither id nor key is given.', { fix: 'Give one of them.' });
  }
  const kind = kinds[typename];
  const idKey = id == null ? null : entityKeyOf(typename, id);
  if (key == null) return entityOf(context, info, kind, idKey);
  const row = await readByKey(await readsOf(context), kind, key, entityFieldsOf(info));
  return id == null || row?.key === idKey ? row : null;
}

const kinds: Record<EntityTypename, EntityKind> = {
  User: 'USER',
  Organization: 'ORGANIZATION',
  Event: 'EVENT',
};

/** The entities of these keys, in order, null where there is none; none at all while nothing is mapped to the type. */
export async function readEntityNodes(
  context: Context,
  info: GraphQLResolveInfo,
  typename: EntityTypename,
  keys: readonly string[],
): Promise<(EntityRow | null)[]> {
  const reads = await readsOf(context);
  const kind = kinds[typename];
  if (!reads.mappings[kind]) return keys.map(() => null);
  const rows = await readByKeys(reads, kind, [...new Set(keys)], entityFieldsOf(info));
  return keys.map((key) => rows.get(key) ?? null);
}

/** When a user was first and last seen, null for one who never was. All users of a query, and both fields, cost one statement. */
export function seenOf(context: Context, key: string): Promise<Seen | null> {
  return batchedTogether(context, 'User:seen', key, async (keys) => {
    const seen = await readSeen(await readsOf(context), keys);
    return keys.map((each) => seen.get(each) ?? null);
  });
}
