import { v7 } from 'uuid';

/** A new UUIDv7: ids made later sort later, so that an index on (createdAt, id) is appended to. */
export function newId(): string {
  return v7();
}
