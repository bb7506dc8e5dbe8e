import type { ConfigSchema, Json } from './contract.ts';

type JsonObject = { [key: string]: Json };

/** The fields that hold secrets, nested ones too, as dotted paths: "ssl.key". */
export function secretPaths(spec: ConfigSchema): string[] {
  return [...new Set(secretsBelow(spec, ''))];
}

function secretsBelow(schema: Json | undefined, path: string): string[] {
  if (!isObject(schema)) return [];
  if (schema.secret === true) return [path];
  const below = Object.entries(isObject(schema.properties) ? schema.properties : {}).flatMap(
    ([name, child]) => secretsBelow(child, path === '' ? name : `${path}.${name}`),
  );
  const branches = [schema.allOf, schema.anyOf, schema.oneOf, schema.if, schema.then, schema.else].flat();
  return [...below, ...branches.flatMap((branch) => secretsBelow(branch, path))];
}

/**
 * The config without its secrets, and the secrets by dotted path: what may be stored in the open, and what must be sealed.
 * A secret that is null is to be cleared; one that is left out does not appear.
 */
export function splitSecrets(
  spec: ConfigSchema,
  config: JsonObject,
): { config: JsonObject; secrets: Record<string, string | null> } {
  const open = structuredClone(config);
  const secrets: Record<string, string | null> = {};
  for (const path of secretPaths(spec)) {
    const { holder, name } = holderOf(open, path);
    if (!holder || !Object.hasOwn(holder, name)) continue;
    const value = holder[name];
    // Anything but text stays where it is, for checkConfig to refuse.
    if (value !== null && typeof value !== 'string') continue;
    delete holder[name];
    secrets[path] = value;
  }
  return { config: open, secrets };
}

/** The config as its connector takes it: each secret back in its place, unless something else already stands there. */
export function joinSecrets(config: JsonObject, secrets: Readonly<Record<string, string>>): JsonObject {
  const whole = structuredClone(config);
  for (const [path, value] of Object.entries(secrets)) {
    const names = path.split('.');
    const last = names.pop()!;
    let holder: Json | undefined = whole;
    for (const name of names) {
      if (isObject(holder)) holder = holder[name] ??= {};
    }
    if (isObject(holder) && !Object.hasOwn(holder, last)) holder[last] = value;
  }
  return whole;
}

function holderOf(config: JsonObject, path: string): { holder: JsonObject | undefined; name: string } {
  const names = path.split('.');
  const name = names.pop()!;
  let holder: Json | undefined = config;
  for (const step of names) holder = isObject(holder) ? holder[step] : undefined;
  return { holder: isObject(holder) ? holder : undefined, name };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
