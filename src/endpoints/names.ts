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

/** "ID" is id and "createdAt" stays: capitals alone are one word. */
function lowered(word: string): string {
  return /^[A-Z0-9]+$/.test(word) ? word.toLowerCase() : word[0]!.toLowerCase() + word.slice(1);
}

/** The names that become one in GraphQL, by that one. */
export function collisions(names: readonly string[], called: (name: string) => string): [string, string[]][] {
  return [...Map.groupBy(names, called)].filter(([, same]) => same.length > 1);
}
