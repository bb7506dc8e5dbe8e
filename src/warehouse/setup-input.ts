import type { Problem } from '#base/errors.ts';

/** What a set-up script is to be made of. */
export interface SetupInput {
  /** MANAGED makes what the datastore needs, EXISTING only grants on what is there. */
  kind: 'MANAGED' | 'EXISTING';
  /** Beside reading, which is always granted. */
  writes: readonly ('TRANSFORMATIONS' | 'SYNCS')[];
  database: string;
  role: string;
  /** The schemas that may be read; null for all of the database, as far as the engine can say that. */
  readSchemas: readonly string[] | null;
  /** The schemas that may be written; null for those that the role makes itself. */
  writeSchemas: readonly string[] | null;
  warehouse: string | null;
  username: string | null;
  authentication: 'KEY_PAIR' | 'PASSWORD';
  publicKey: string | null;
  autoSuspendSeconds: number | null;
}

/** What is left out of an input, by its field; null where it has to be said. */
export type SetupDefaults = { [name in 'database' | 'role' | 'warehouse' | 'username']?: string | null };

/** The script, one statement a line or so, or what is wrong with the input. */
export type SetupScript = { sql: string; problems?: never } | { sql?: never; problems: Problem[] };

/** Names that can be quoted: not empty, no longer than the engine takes, without control characters. */
export function checkNames(input: SetupInput, lengthMax: number): Problem[] {
  const { database, role, warehouse, username } = input;
  const named = Object.entries({ database, role, warehouse, username }).map(
    ([field, name]) => [[field], name] as const,
  );
  const schemas = (['readSchemas', 'writeSchemas'] as const).flatMap((field) =>
    (input[field] ?? []).map((name, at) => [[field, String(at)], name] as const),
  );
  return [...named, ...schemas].flatMap(([path, name]) =>
    name === null ? [] : checkName(path, name, lengthMax),
  );
}

function checkName(path: readonly string[], name: string, lengthMax: number): Problem[] {
  // What a terminal or an editor would not show could hide what the script does.
  if (name !== '' && Buffer.byteLength(name) <= lengthMax && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name)) return [];
  const shown = JSON.stringify(name.slice(0, 100));
  const message = `${shown} cannot be a name: 1 to ${lengthMax} bytes, without control characters.`;
  return [{ code: 'INVALID', path, message, fix: 'Write it as the engine shows it.' }];
}

/** A field that means nothing here, and so is a mistake. */
export function notHere(path: string, what: string): Problem {
  return { code: 'INVALID', path: [path], message: `${path} means nothing ${what}.`, fix: 'Leave it out.' };
}
