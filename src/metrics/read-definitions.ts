import type { MetricDeps } from './deps.ts';
import { type KnownDefinition, knownDefinition, readDefinition } from './definition.ts';
import { namesOf, parseExpression } from './expression.ts';

/** A metric as others are made of it. */
export interface KnownMetric {
  id: string;
  name: string;
  definition: KnownDefinition;
}

export type KnownMetrics = ReadonlyMap<string, KnownMetric>;

/**
 * The metrics of these names and all that they are made of, by name. One statement a level that is not remembered; unknown
 * names are left out.
 */
export async function readDefinitions(
  deps: Pick<MetricDeps, 'store'>,
  projectId: string,
  names: readonly string[],
  memory: Map<string, unknown> | null = null,
): Promise<Map<string, KnownMetric>> {
  const known = new Map<string, KnownMetric>();
  const asked = new Set<string>();
  let next = [...new Set(names)];
  while (next.length > 0) {
    for (const name of next) asked.add(name);
    const found = await readLevel(deps, projectId, next, memory);
    for (const metric of found) known.set(metric.name, metric);
    next = [...new Set(found.flatMap(({ definition }) => usedBy(definition)))].filter(
      (name) => !asked.has(name),
    );
  }
  return known;
}

/** Names of no metric are not remembered: there is no end of them. */
async function readLevel(
  deps: Pick<MetricDeps, 'store'>,
  projectId: string,
  names: readonly string[],
  memory: Map<string, unknown> | null,
): Promise<KnownMetric[]> {
  const ofMemory = names.map((name) => memory?.get(`metric ${name}`) as KnownMetric | undefined);
  const missing = names.filter((_, at) => ofMemory[at] === undefined);
  const found = ofMemory.filter((metric) => metric !== undefined);
  if (missing.length === 0) return found;
  const rows = await deps.store.db.metric.findMany({
    where: { projectId, deletedAt: null, name: { in: missing } },
    select: { id: true, name: true, definition: true },
  });
  for (const { id, name, definition: kept } of rows) {
    const definition = knownDefinition(readDefinition(kept));
    if (!definition) throw new Error(`The definition of the metric ${id} is of no kind.`);
    const metric = { id, name, definition };
    memory?.set(`metric ${name}`, metric);
    found.push(metric);
  }
  return found;
}

/** The names of the metrics that a definition is made of. Fails with ExpressionError. */
export function usedBy(definition: KnownDefinition): string[] {
  switch (definition.kind) {
    case 'RATIO':
      return [definition.ratio.numerator, definition.ratio.denominator];
    case 'DERIVED':
      return namesOf(parseExpression(definition.derived.expression));
    case 'CUMULATIVE':
      return [definition.cumulative.metric];
    case 'SIMPLE':
    case 'CONVERSION':
    default:
      return [];
  }
}
