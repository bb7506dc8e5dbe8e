import { expect, test } from 'vitest';
import { InputError } from '#base/errors.ts';
import {
  decodeId,
  entityKeyOf,
  globalId,
  readEntityId,
  readGlobalId,
  uuidOf,
  uuidOfInput,
} from '#graphql/global-id.ts';

const uuid = '01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071';

test('a global id is read back to type and uuid, with or without padding', () => {
  const id = globalId('Source', uuid);
  expect(readGlobalId(id)).toEqual({ typename: 'Source', uuid });
  expect(readGlobalId(Buffer.from(`Source:${uuid}`).toString('base64'))).toEqual({
    typename: 'Source',
    uuid,
  });
});

test.each([
  '',
  'nonsense',
  uuid,
  globalId('Source', '42'),
  globalId('source', uuid),
  `${globalId('Source', uuid)}AAAA`,
])('%j is no id and refused with BAD_USER_INPUT', (id) => {
  expect(() => decodeId(id)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
});

test('an id of another type is, in an argument, the id of nothing', () => {
  expect(uuidOf('Source', globalId('Source', uuid))).toBe(uuid);
  expect(uuidOf('Source', globalId('Job', uuid))).toBe('00000000-0000-0000-0000-000000000000');
});

test('an id of another type is, in an input, a NOT_FOUND at its path', () => {
  expect(uuidOfInput('Source', globalId('Source', uuid))).toBe(uuid);
  for (const id of [globalId('Job', uuid), 'nonsense']) {
    try {
      uuidOfInput('Source', id, ['sourceId']);
      expect.unreachable();
    } catch (error) {
      expect((error as InputError).problems).toMatchObject([{ code: 'NOT_FOUND', path: ['sourceId'] }]);
    }
  }
});

test.each(['1', '', 'a:b', 'line\nbreak', 'Zoë 💥', uuid])('the id of an entity holds its key: %j', (key) => {
  const id = globalId('User', key);
  expect(readEntityId(id)).toEqual({ typename: 'User', key });
  expect(entityKeyOf('User', id)).toBe(key);
  expect(entityKeyOf('Event', id)).toBeNull();
});

test('an id of anything else names no entity, and what is no id is refused', () => {
  expect(readEntityId(globalId('Source', uuid))).toBeNull();
  expect(entityKeyOf('User', globalId('Source', uuid))).toBeNull();
  for (const id of ['', 'nonsense', globalId('Source', '42')]) {
    expect(() => entityKeyOf('User', id)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
  }
});
