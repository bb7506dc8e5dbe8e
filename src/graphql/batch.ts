import DataLoader from 'dataloader';
import type { FieldNode, GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

type Loaders = Map<string, DataLoader<string, unknown>>;

const loaders = new WeakMap<Context, Loaders>();
const numbers = new WeakMap<FieldNode, number>();
let lastNumber = 0;

/**
 * Answers one field of many parents with one call of `load`: parents that resolve the same field of the document in the
 * same tick share it. `load` is given each key once and must give one answer a key, in order; it closes over the
 * arguments and the selection of the first parent, which are those of all. `purpose` tells apart what one field loads.
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
  const place = `${info.parentType.name}:${purpose}:${info.fieldNodes.map(numberOf).join()}`;
  return batchedTogether(context, place, key, load);
}

/** As batched, for fields that are loaded together: all that name the same place share a call. Their arguments must not matter. */
export function batchedTogether<Answer>(
  context: Context,
  place: string,
  key: string,
  load: (keys: readonly string[]) => Promise<readonly Answer[]>,
): Promise<Answer> {
  const ofContext = loaders.get(context) ?? new Map<string, DataLoader<string, unknown>>();
  loaders.set(context, ofContext);
  const loader =
    ofContext.get(place) ?? new DataLoader<string, unknown>((keys) => loadOnce(keys, load), { cache: false });
  ofContext.set(place, loader);
  return loader.load(key) as Promise<Answer>;
}

/** Two parents may have one key: `load` is given it once. */
async function loadOnce<Answer>(
  keys: readonly string[],
  load: (keys: readonly string[]) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const unique = [...new Set(keys)];
  const answers = await load(unique);
  const places = new Map(unique.map((key, place) => [key, place]));
  return keys.map((key) => answers[places.get(key) as number] as Answer);
}

/** As batched, where `load` gives answers by their keys; a key without one is answered with `none`. */
export function batchedByKey<Answer>(
  context: Context,
  info: GraphQLResolveInfo,
  purpose: string,
  key: string,
  none: Answer,
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Answer>>,
): Promise<Answer> {
  return batched(context, info, purpose, key, async (keys) => {
    const answers = await load(keys);
    return keys.map((each) => answers.get(each) ?? none);
  });
}

/**
 * A field may be spelled in several places of a document at once, by fragments. One of them may be the same as at another
 * field while the selection is not, so that all of them together are what tells fields apart.
 */
function numberOf(node: FieldNode): number {
  const known = numbers.get(node);
  if (known !== undefined) return known;
  lastNumber += 1;
  numbers.set(node, lastNumber);
  return lastNumber;
}
