import DataLoader from 'dataloader';
import type { FieldNode, GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

const loaders = new WeakMap<Context, Map<string, WeakMap<FieldNode, DataLoader<string, unknown>>>>();

/**
 * Answers one field of many parents with one call of `load`: parents that resolve the same field of the document in the
 * same tick share it. `load` must give one answer a key, in order, and closes over the arguments of the first, which are
 * those of all, since one field of a document has one set of arguments. `purpose` tells apart what one field loads.
 *
 * Nothing is remembered between ticks, so that each event of a subscription reads anew.
 */
export function batched<Answer>(
  context: Context,
  info: GraphQLResolveInfo,
  purpose: string,
  key: string,
  load: (keys: readonly string[]) => Promise<readonly Answer[]>,
): Promise<Answer> {
  const ofContext = getOrMake(
    loaders,
    context,
    () => new Map<string, WeakMap<FieldNode, DataLoader<string, unknown>>>(),
  );
  const ofPurpose = getOrMake(ofContext, `${info.parentType.name}:${purpose}`, () => new WeakMap());
  const field = info.fieldNodes[0] as FieldNode;
  const loader = getOrMake(ofPurpose, field, () => new DataLoader<string, unknown>(load, { cache: false }));
  return loader.load(key) as Promise<Answer>;
}

function getOrMake<Key, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
