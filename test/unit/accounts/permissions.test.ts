import { readFile } from 'node:fs/promises';
import { Kind, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { demand, may, needOf, needOfType, scopesOf } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { Role, type Scope } from '#generated/prisma/enums.ts';

function member(role: Role): Viewer {
  const ids = { accountId: 'a', projectId: 'p', memberId: 'm', apiKeyId: null, sessionId: 's' };
  return { ...ids, role, scopes: scopesOf(role) };
}

function key(...scopes: Scope[]): Viewer {
  return {
    accountId: 'a',
    projectId: 'p',
    memberId: null,
    apiKeyId: 'k',
    role: null,
    scopes,
    sessionId: null,
  };
}

const mayUse = (viewer: Viewer | null, field: string) => {
  const [type = '', name = ''] = field.split('.');
  return may(viewer, needOf(type, name));
};

describe('nobody', () => {
  test.each([
    'Mutation.signUp',
    'Mutation.logIn',
    'Mutation.logOut',
    'Query.viewer',
    'Query.node',
    'Query.nodes',
  ])('%s is for anyone', (field) => expect(mayUse(null, field)).toBe(true));

  test.each([
    'Query.sources',
    'Mutation.createApiKey',
    'Subscription.taskLogs',
    'Account.name',
    'Event.name',
  ])('%s is not', (field) => {
    expect(mayUse(null, field)).toBe(false);
  });
});

test('a VIEWER reads settings and data, and changes nothing', () => {
  const viewer = member('VIEWER');
  expect(mayUse(viewer, 'Query.sources')).toBe(true);
  expect(mayUse(viewer, 'Query.table')).toBe(true);
  for (const mutation of [
    'createSource',
    'syncJob',
    'cancelTask',
    'testSource',
    'createApiKey',
    'mapEntity',
  ]) {
    expect(mayUse(viewer, `Mutation.${mutation}`)).toBe(false);
  }
});

test('an EDITOR changes settings, but no API key', () => {
  expect(mayUse(member('EDITOR'), 'Mutation.createSource')).toBe(true);
  expect(mayUse(member('EDITOR'), 'Mutation.createApiKey')).toBe(false);
  expect(mayUse(member('EDITOR'), 'Query.apiKeys')).toBe(false);
});

test.each(['OWNER', 'ADMIN'] as const)('an %s may do everything', (role) => {
  expect(mayUse(member(role), 'Mutation.createApiKey')).toBe(true);
  expect(mayUse(member(role), 'Mutation.createSource')).toBe(true);
  expect(mayUse(member(role), 'ApiKey.name')).toBe(true);
});

test('a DATA_READ key sees data and no setting', () => {
  const viewer = key('DATA_READ');
  for (const type of [
    'Table',
    'Column',
    'RowSet',
    'Metric',
    'User',
    'Event',
    'Freshness',
    'Viewer',
    'Project',
    // Where a table lies is no setting; how it is reached is.
    'Datastore',
  ]) {
    expect([type, may(viewer, needOfType(type))]).toEqual([type, true]);
  }
  for (const type of ['Source', 'Destination', 'Job', 'Task', 'Member', 'Signal', 'Connector']) {
    expect([type, may(viewer, needOfType(type))]).toEqual([type, false]);
  }
  for (const field of ['config', 'providedSecrets']) {
    expect([field, may(viewer, needOf('Datastore', field))]).toEqual([field, false]);
  }
});

test('a key of all scopes manages no keys, and sees itself', () => {
  const viewer = key('DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE');
  expect(mayUse(viewer, 'Mutation.createApiKey')).toBe(false);
  expect(mayUse(viewer, 'Mutation.revokeApiKey')).toBe(false);
  expect(mayUse(viewer, 'ApiKey.name')).toBe(true);
});

test('a connection and an edge need what their node needs, a payload what its mutation needs', () => {
  expect(needOf('SourceConnection', 'nodes')).toBe('CONTROL_READ');
  expect(needOf('ApiKeyEdge', 'node')).toBe('ADMIN_OR_KEY');
  expect(needOf('CreateApiKeyPayload', 'secret')).toBe('ADMIN');
  expect(needOf('LogInPayload', 'token')).toBe('ANYONE');
});

test('a field or type nobody decided on fails', () => {
  expect(() => needOf('Query', 'everything')).toThrow(
    'Query.everything has no entry in accounts/permissions.ts',
  );
  expect(() => needOf('Mutation', 'toString')).toThrow('no entry');
  expect(() => needOfType('Thing')).toThrow('The type Thing has no entry');
  expect(() => needOfType('ThingConnection')).toThrow('no entry');
  expect(() => needOfType('constructor')).toThrow('no entry');
});

test('roles have the scopes the contract gives them', () => {
  const scopes = Object.fromEntries(Object.values(Role).map((role) => [role, scopesOf(role)]));
  const all = ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'];
  expect(scopes).toEqual({ OWNER: all, ADMIN: all, EDITOR: all, VIEWER: ['DATA_READ', 'CONTROL_READ'] });
});

test('a refusal says what is needed, what there is, and what to do', () => {
  expect(() => demand(null, 'CONTROL_READ')).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  expect(() => demand(key('DATA_READ'), 'CONTROL_READ')).toThrow(
    expect.objectContaining({
      code: 'FORBIDDEN',
      message: 'This needs the scope CONTROL_READ. This API key has DATA_READ.',
    }),
  );
  expect(() => demand(member('EDITOR'), 'ADMIN')).toThrow(
    'This needs a member of role OWNER or ADMIN. You are EDITOR.',
  );
  expect(() => demand(member('EDITOR'), 'CONTROL_WRITE')).not.toThrow();
});

test.each(['schema.graphql', 'test/support/contract.graphql'])(
  '%s holds nothing that is not decided on',
  async (file) => {
    const { definitions } = parse(await readFile(file, 'utf8'));
    const types = definitions.filter((definition) => definition.kind === Kind.OBJECT_TYPE_DEFINITION);
    expect(types.length).toBeGreaterThan(50);
    for (const { name, fields } of types) {
      for (const field of fields ?? []) expect(() => needOf(name.value, field.name.value)).not.toThrow();
    }
  },
);
