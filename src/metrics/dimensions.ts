import { type CatalogedTable, type Mapping, propertyNames } from '#catalog/mappings.ts';
import { entityFields } from '#catalog/row-source.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { KnownDefinition, SimpleDefinition } from './definition.ts';
import { type KnownMetrics, usedBy } from './read-definitions.ts';
import type { Ground } from './rows.ts';

/**
 * What a metric may be asked by: what all the measures that it is made of allow. Properties of a JSON column that a mapping
 * does not name are none of these, and may be asked by all the same. Empty when what it measures is not there any more.
 */
export function dimensionsOf(ground: Ground, metrics: KnownMetrics, name: string): string[] {
  const [first = [], ...others] = measuredBy(metrics, name).map((definition) => pathsOf(ground, definition));
  return first.filter((path) => others.every((paths) => paths.includes(path)));
}

/** The definitions over rows that a metric is made of. */
export function measuredBy(metrics: KnownMetrics, name: string): KnownDefinition[] {
  const seen = new Set<string>();
  const measured: KnownDefinition[] = [];
  const next = [name];
  // It grows while it is walked.
  for (const each of next) {
    const definition = metrics.get(each)?.definition;
    if (!definition || seen.has(each)) continue;
    seen.add(each);
    const used = usedBy(definition);
    if (used.length === 0) measured.push(definition);
    next.push(...used);
  }
  return measured;
}

function pathsOf(ground: Ground, definition: KnownDefinition): string[] {
  if (definition.kind === 'CONVERSION') return entityPaths(ground, 'EVENT');
  if (definition.kind !== 'SIMPLE') return [];
  return simplePaths(ground, definition.simple);
}

function simplePaths(ground: Ground, { entity, table, dimensions }: SimpleDefinition): string[] {
  if (entity == null) {
    const columns = ground.tables.get(table ?? '')?.columns.map((column) => column.name) ?? [];
    return dimensions == null || columns.length === 0 ? columns : [...dimensions];
  }
  const paths = entityPaths(ground, entity);
  return dimensions == null || paths.length === 0 ? paths : [...dimensions];
}

function entityPaths({ mappings }: Ground, kind: EntityKind): string[] {
  const mapping = mappings[kind];
  if (!mapping) return [];
  const paths = ownPaths(mapping);
  const { USER: user, ORGANIZATION: organization } = mappings;
  const isNear = (other: Mapping | undefined): other is Mapping =>
    other !== undefined && isTogether(other.table, mapping.table);
  const joinsUser = kind === 'EVENT' && mapping.columns.userKey !== undefined && isNear(user);
  if (joinsUser) paths.push(...ownPaths(user).map((path) => `user.${path}`));
  const hasOrganization =
    mapping.columns.organizationKey !== undefined ||
    (joinsUser && user.columns.organizationKey !== undefined);
  if (hasOrganization && isNear(organization)) {
    paths.push(...ownPaths(organization).map((path) => `organization.${path}`));
  }
  return paths;
}

/** The key, the fields and the properties; a property that has the name of a field is found behind "properties.". */
function ownPaths(mapping: Mapping): string[] {
  const fields = entityFields[mapping.kind].filter((field) => mapping.columns[field] !== undefined);
  const own = ['key', ...fields];
  const properties = propertyNames(mapping) ?? [];
  return [...own, ...properties.map((name) => (own.includes(name) ? `properties.${name}` : name))];
}

function isTogether(one: CatalogedTable, other: CatalogedTable): boolean {
  return one.datastore.id === other.datastore.id;
}
