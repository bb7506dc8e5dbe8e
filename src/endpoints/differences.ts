import type { Json } from '#connectors/contract.ts';

/** What one declaration has otherwise than another. */
export interface Difference {
  /** Where: ["limits", "rows"]. */
  path: string[];
  /** Null where there was nothing. */
  before: Json;
  /** Null where there is nothing any more. */
  after: Json;
}

/** Everything that differs, at the deepest place that both have. Lists of named things, such as params, are told by their names. */
export function differences(before: Json, after: Json, path: string[] = []): Difference[] {
  const [was, is] = [partsOf(before), partsOf(after)];
  if (!was || !is) return same(before, after) ? [] : [{ path, before, after }];
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((key) =>
    differences(was.get(key) ?? null, is.get(key) ?? null, [...path, key]),
  );
}

/** The parts of an object or of a list by which they are told; null for what has none. */
function partsOf(value: Json): Map<string, Json> | null {
  if (typeof value !== 'object' || value === null) return null;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const names = value.map((each) =>
    typeof each === 'object' && each !== null && !Array.isArray(each) ? each['name'] : undefined,
  );
  const isNamed = names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
  return isNamed ? new Map(value.map((each, index) => [names[index] as string, each])) : null;
}

function same(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
