import type { Declaration, ParamDeclaration } from './declaration.ts';

/** What a name is called in GraphQL: "active_users" is activeUsers, and what cannot stand in a name is left out. */
export function graphqlName(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words
    .map((word, index) => (index === 0 ? lowered(word) : word[0]!.toUpperCase() + word.slice(1)))
    .join('');
  return /^[A-Za-z]/.test(joined) ? joined : `_${joined}`;
}

/** The field of an endpoint: that of version 1 is its name alone, so that it stays what it is when there are others. */
export function fieldName({ name, version }: { name: string; version: number }): string {
  return version === 1 ? graphqlName(name) : `${graphqlName(name)}V${version}`;
}

/** The beginning of the names of its types. */
export function typeName(endpoint: { name: string; version: number }): string {
  const field = fieldName(endpoint);
  return field[0]!.toUpperCase() + field.slice(1);
}

/** Whether a parameter is an enum in GraphQL: one with a value that cannot be a name there is a text. */
export function isGraphqlEnum({ type, enum: values }: Pick<ParamDeclaration, 'type' | 'enum'>): boolean {
  const isName = (value: unknown) =>
    typeof value === 'string' && /^(?!__)(?!(?:true|false|null)$)[A-Za-z_]\w*$/.test(value);
  return type === 'string' && values !== undefined && values.every(isName);
}

/** The names of the types that an endpoint has in GraphQL, all beginning with typeName. */
export function typeNames({ metadata, params = [], pagination }: Declaration): string[] {
  const prefix = typeName(metadata);
  return [
    prefix,
    `${prefix}Connection`,
    ...(pagination ? [`${prefix}Edge`] : []),
    ...params.filter(isGraphqlEnum).map(({ name }) => enumName(prefix, name)),
  ];
}

/** The type of a parameter that is an enum. */
export function enumName(prefix: string, param: string): string {
  const name = graphqlName(param);
  return `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`;
}

/** "ID" is id and "createdAt" stays: capitals alone are one word. */
function lowered(word: string): string {
  return /^[A-Z0-9]+$/.test(word) ? word.toLowerCase() : word[0]!.toLowerCase() + word.slice(1);
}

/** The names that become one in GraphQL, by that one. */
export function collisions(names: readonly string[], called: (name: string) => string): [string, string[]][] {
  return [...Map.groupBy(names, called)].filter(([, same]) => same.length > 1);
}
