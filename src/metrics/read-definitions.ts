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

/** The metrics of these names and all that they are made of, by name. One statement a level; unknown names are left out. */
export async function readDefinitions(
  deps: Pick<MetricDeps, 'store'>,
  projectId: string,
  names: readonly string[],
): Promise<Map<string, KnownMetric>> {
  const known = new Map<string, KnownMetric>();
  const asked = new Set<string>();
  let next = [...new Set(names)];
  while (next.length > 0) {
    for (const name of next) asked.add(name);
    const rows = await deps.store.db.metric.findMany({
      where: { projectId, deletedAt: null, name: { in: next } },
      select: { id: true, name: true, definition: true },
    });
    for (const row of rows) {
      const definition = knownDefinition(readDefinition(row.definition));
      if (!definition) throw new Error(`The definition of the metric ${row.id} is of no kind.`);
      known.set(row.name, { id: row.id, name: row.name, definition });
    }
    const used = rows.flatMap((row) => usedBy(known.get(row.name)!.definition));
    next = [...new Set(used)].filter((name) => !asked.has(name));
  }
  return known;
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
