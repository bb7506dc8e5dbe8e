import { AppError, inputError } from '#base/errors.ts';

export { globalId } from '#base/global-id.ts';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const decodedPattern = /^([A-Z]\w*):(.+)$/;

/** Never the id of anything: what an id of another type becomes, so that it is as unknown as one that never was. */
const nobody = '00000000-0000-0000-0000-000000000000';

export interface GlobalId {
  typename: string;
  uuid: string;
}

/** Reads a global id, null when it is not one. Base64 with and without padding is taken. */
export function readGlobalId(id: string): GlobalId | null {
  const match = decodedPattern.exec(Buffer.from(id, 'base64url').toString('utf8'));
  const [, typename, uuid] = match ?? [];
  if (typename === undefined || uuid === undefined || !uuidPattern.test(uuid)) return null;
  return { typename, uuid };
}

/** The types whose things lie in the warehouse and are known by a key, which may be any text, in place of a uuid. */
const entityPattern = /^(User|Organization|Event):(.*)$/s;

export type EntityTypename = 'User' | 'Organization' | 'Event';

/** Reads the global id of an entity, null when it is not one. It holds type and key alone: whoever asks is asked of their own project. */
export function readEntityId(id: string): { typename: EntityTypename; key: string } | null {
  const [, typename, key] = entityPattern.exec(Buffer.from(id, 'base64url').toString('utf8')) ?? [];
  return key === undefined ? null : { typename: typename as EntityTypename, key };
}

/** The key in an argument that names an entity of one type; null for the id of anything else. Fails as decodeId does. */
export function entityKeyOf(typename: EntityTypename, id: string): string | null {
  const read = readEntityId(id);
  if (read === null) decodeId(id);
  return read?.typename === typename ? read.key : null;
}

/** Reads a global id of an argument. Fails with BAD_USER_INPUT when it is none. */
export function decodeId(id: string): GlobalId {
  const read = readGlobalId(id);
  if (read !== null) return read;
  throw new AppError('BAD_USER_INPUT', `${quote(id)} is not an id of this API.`, {
    fix: 'Use an id that the API gave; ids are opaque and cannot be made up.',
  });
}

/** The uuid in an argument that names a thing of one type; an id of another type becomes one that nothing has. Fails as decodeId does. */
export function uuidOf(typename: string, id: string): string {
  const read = decodeId(id);
  return read.typename === typename ? read.uuid : nobody;
}

/** The uuid in a mutation's input. An id of another type, or none at all, is a userError NOT_FOUND at its path. */
export function uuidOfInput(typename: string, id: string, path: readonly string[] = ['id']): string {
  const read = readGlobalId(id);
  if (read?.typename === typename) return read.uuid;
  throw inputError(
    'NOT_FOUND',
    path,
    `${quote(id)} is not the id of a ${typename.toLowerCase()} of this project.`,
    `Use the id of a ${typename.toLowerCase()}, as the API gave it.`,
  );
}

function quote(id: string): string {
  return JSON.stringify(id.length > 100 ? `${id.slice(0, 100)}…` : id);
}
