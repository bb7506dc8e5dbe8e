import { getIntrospectionQuery, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSignInLink } from '#accounts/sign-in-link.ts';
import { newId } from '#base/id.ts';
import { globalId } from '#graphql/global-id.ts';
import { schema } from '#graphql/schema.ts';
import { writeTask } from '#pipelines/write-task.ts';
import { serve, type Serving } from '#server/serve.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { answerOf, until } from './open-scratch.ts';
import { openRaw, type RawSocket } from './raw-socket.ts';

let gql: TestGraphql;
let serving: Serving;
beforeAll(async () => {
  gql = await openTestGraphql();
  serving = await serve(gql.app, { host: '127.0.0.1', port: 0, limits: { recheckMs: 100 } });
});
afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
  await gql?.[Symbol.asyncDispose]();
});

async function ask(query: string, options: { variables?: object; headers?: Record<string, string> } = {}) {
  const response = await fetch(`${serving.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...options.headers },
    body: JSON.stringify({ query, variables: options.variables }),
  });
  return await answerOf(response);
}

const signUp = `mutation ($input: SignUpInput!) {
  signUp(input: $input) { token viewer { member { username } } userErrors { message } }
}`;

interface Member {
  token: string;
  cookie: string;
  projectId: string;
}

async function newMember(username: string): Promise<Member> {
  const input = { username, email: `${username}@example.com`, password: 'correct horse battery staple' };
  const { data, headers, errors } = await ask(signUp, { variables: { input } });
  expect(errors).toEqual([]);
  const { token } = (data as { signUp: { token: string } }).signUp;
  const session = await gql.app.store.db.session.findFirstOrThrow({ where: { member: { username } } });
  return { token, cookie: headers.get('set-cookie')?.split(';')[0] ?? '', projectId: session.projectId };
}

const whoami = '{ viewer { member { username } apiKey { name } } }';

describe('a session', () => {
  test('begins with signUp as cookie and token, and ends with logOut for both and for what follows with it', async () => {
    const { token, cookie } = await newMember('ada');
    expect(cookie).toBe(`sluice_session=${token}`);
    const signedIn: Record<string, string>[] = [{ cookie }, { authorization: `Bearer ${token}` }];
    for (const headers of signedIn) {
      const { data } = await ask(whoami, { headers });
      expect(data).toEqual({ viewer: { member: { username: 'ada' }, apiKey: null } });
    }
    const raw = await openRaw(serving.url, { headers: { cookie } });
    raw.subscribe('1', 'subscription { tasksUpdated { id } }');
    const out = await ask('mutation { logOut { userErrors { message } } }', { headers: { cookie } });
    expect(out.errors).toEqual([]);
    expect(out.headers.get('set-cookie')).toMatch(/^sluice_session=; .*Max-Age=0/);
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(4401);
    expect((await ask(whoami, { headers: { cookie } })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  test('begins once with a sign-in link', async () => {
    const { projectId } = await newMember('bob');
    const member = await gql.app.store.db.member.findUniqueOrThrow({ where: { username: 'bob' } });
    const link = await createSignInLink(gql.app.accounts, { memberId: member.id, projectId });
    const use = () =>
      fetch(`${serving.url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token: link }).toString(),
        redirect: 'manual',
      });
    const used = await use();
    expect(used.status).toBe(303);
    const cookie = used.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await ask(whoami, { headers: { cookie } })).data).toMatchObject({
      viewer: { member: { username: 'bob' } },
    });
    const again = await use();
    expect(again.status).toBe(401);
    expect(await again.text()).toContain('or was used');
  });
});

test('an API key that is revoked ends its subscriptions within seconds', async () => {
  const { token } = await newMember('carl');
  const headers = { authorization: `Bearer ${token}` };
  const made = await ask(
    'mutation { createApiKey(input: { name: "watcher", scopes: [CONTROL_READ] }) { secret apiKey { id } } }',
    { headers },
  );
  const { secret, apiKey } = (made.data as { createApiKey: { secret: string; apiKey: { id: string } } })
    .createApiKey;
  const raw = await openRaw(serving.url, { init: { authorization: `Bearer ${secret}` } });
  raw.subscribe('1', whoami);
  await until('an answer', () => raw.types('1').includes('complete'));
  expect(raw.data('1')).toEqual({ viewer: { member: null, apiKey: { name: 'watcher' } } });
  raw.subscribe('2', 'subscription { tasksUpdated { id } }');
  await ask('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { deletedId } }', {
    variables: { id: apiKey.id },
    headers,
  });
  await until('the socket closes', () => raw.closed !== undefined);
  expect(raw.closed?.code).toBe(4401);
});

describe('the log of a task', () => {
  async function newTask(projectId: string) {
    const now = new Date();
    const lease = newId();
    const task = await gql.app.store.db.task.create({
      data: {
        id: newId(),
        projectId,
        kind: 'SYNC',
        status: 'RUNNING',
        trigger: 'MANUAL',
        lease,
        createdAt: now,
        heartbeatAt: now,
      },
    });
    const write = (...messages: string[]) =>
      writeTask(gql.app.store.db, {
        taskId: task.id,
        lines: messages.map((message) => ({ at: new Date(), level: 'INFO', stream: null, message })),
      });
    return { id: globalId('Task', task.id), write };
  }

  const logs =
    'subscription ($id: ID!, $after: String) { taskLogs(taskId: $id, after: $after) { lines { seq message } cursor caughtUp } }';
  const linesOf = (raw: RawSocket) =>
    raw.messages
      .filter(({ type }) => type === 'next')
      .flatMap(
        ({ payload }) =>
          (payload as { data: { taskLogs: { lines: { seq: number }[] } } }).data.taskLogs.lines,
      )
      .map(({ seq }) => seq);

  test('is executed once a batch for all who follow it at its live edge', async () => {
    const { token, projectId } = await newMember('dora');
    const task = await newTask(projectId);
    const sockets = await Promise.all(
      Array.from({ length: 40 }, () => openRaw(serving.url, { init: { token } })),
    );
    for (const raw of sockets) raw.subscribe('1', logs, { id: task.id });
    await until('all have caught up', () => sockets.every((raw) => raw.types('1').length > 0));

    const batch = schema.getType('TaskLogBatch');
    const field = isObjectType(batch) ? batch.getFields()['lines'] : undefined;
    const resolve = field?.resolve;
    if (!field || !resolve) throw new Error('There is no TaskLogBatch.lines to count.');
    let resolved = 0;
    field.resolve = (...args) => {
      resolved += 1;
      return resolve(...args);
    };
    try {
      await task.write('one', 'two', 'three');
      await until('all have the lines', () => sockets.every((raw) => linesOf(raw).length === 3));
    } finally {
      field.resolve = resolve;
    }
    expect(sockets.map(linesOf)).toEqual(sockets.map(() => [1, 2, 3]));
    expect(resolved).toBe(1);
    for (const { socket } of sockets) socket.close();
  });

  test('is followed over server-sent events as over WebSocket, and goes on after a cursor', async () => {
    const { token, projectId } = await newMember('ella');
    const task = await newTask(projectId);
    await task.write('one', 'two', 'three');
    const raw = await openRaw(serving.url, { init: { token } });
    raw.subscribe('1', logs, { id: task.id });
    await until('the lines are there', () => linesOf(raw).length === 3);
    const { cursor } = (raw.data('1') as { taskLogs: { cursor: string } }).taskLogs;
    raw.socket.close();
    await task.write('four');
    const leave = new AbortController();
    const response = await fetch(`${serving.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ query: logs, variables: { id: task.id, after: cursor } }),
      signal: leave.signal,
    });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString('utf8');
      if (text.includes('"four"')) break;
    }
    leave.abort();
    expect(text).not.toContain('"three"');
    expect(text).toContain('"seq":4');
  });

  test('of another project is NOT_FOUND, and leaves the socket open', async () => {
    const [{ token }, { projectId }] = [await newMember('finn'), await newMember('gwen')];
    const task = await newTask(projectId);
    const raw = await openRaw(serving.url, { init: { token } });
    raw.subscribe('1', logs, { id: task.id });
    await until('an answer', () => raw.types('1').length > 0);
    expect(JSON.stringify(raw.messages)).toContain('"code":"NOT_FOUND"');
    expect(raw.closed).toBeUndefined();
    raw.socket.close();
  });
});

describe('the bounds leave room for', () => {
  test('introspection by GraphiQL and graphql-codegen', async () => {
    const query = getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    });
    expect((await ask(query)).errors).toEqual([]);
  });

  test('a page of 100 jobs with source, destination, streams and last task, but not for 100 pages of pages', async () => {
    const { token } = await newMember('hugo');
    const headers = { authorization: `Bearer ${token}` };
    const wide = `{ jobs(first: 100) { pageInfo { hasNextPage endCursor } totalCount edges { cursor node {
      id name active nextRunAt revision createdAt updatedAt createdBy { username } schedule { cron timeZone }
      source { id name type version config } destination { id name type version config }
      streams { namespace name syncMode writeMode cursorField primaryKey destinationTable selectedColumns }
      lastTask { id status trigger startedAt finishedAt rowsRead rowsWritten progress error { kind message fix }
        streams { name status rowsRead rowsWritten } } } } } }`;
    expect((await ask(wide, { headers })).errors).toEqual([]);
    const deep =
      '{ jobs(first: 100) { nodes { tasks(first: 25) { nodes { logs(first: 25) { nodes { message } } } } } } }';
    expect((await ask(deep, { headers })).errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
  });
});
