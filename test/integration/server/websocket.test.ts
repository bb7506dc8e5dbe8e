import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRaw } from './raw-socket.ts';
import { openScratch, owner, type ScratchServer, until } from './open-scratch.ts';

let server: ScratchServer;
beforeEach(async () => {
  server = await openScratch({
    initMs: 300,
    keepAliveMs: 200,
    recheckMs: 50,
    operationsPerSocketMax: 5,
    followersMax: 20,
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const signedIn = { authorization: 'Bearer secret-of-ada' };

describe('who asks', () => {
  test('connectionParams { authorization }, { token } and the cookie sign in; without any nobody is signed in', async () => {
    const cookie = { cookie: 'sluice_session=secret-of-ada' };
    for (const [options, expected] of [
      [{ init: signedIn }, 'ada'],
      [{ init: { token: 'secret-of-ada' } }, 'ada'],
      [{ headers: cookie }, 'ada'],
      [{ headers: { ...cookie, origin: server.url } }, 'ada'],
      [{}, null],
    ] as const) {
      const raw = await openRaw(server.url, options);
      raw.subscribe('1', '{ whoami }');
      await until('an answer', () => raw.types('1').includes('complete'));
      expect(raw.data('1')).toEqual({
        whoami: expected,
      });
      raw.socket.close();
    }
  });

  test('credentials that are worth nothing close the socket with 4401, which clients do not retry', async () => {
    for (const init of [
      { authorization: 'Bearer stolen' },
      { authorization: 'Basic x' },
      { token: 5 },
      { token: '' },
    ]) {
      const raw = await openRaw(server.url, { init });
      await until('the socket closes', () => raw.closed !== undefined);
      expect(raw.closed).toEqual({ code: 4401, reason: 'UNAUTHENTICATED' });
      expect(raw.messages).toEqual([]);
    }
  });

  test('a page of another origin may not open a socket with the cookie', async () => {
    const headers = { cookie: 'sluice_session=secret-of-ada', origin: 'http://evil.example' };
    await expect(openRaw(server.url, { headers })).rejects.toThrow('403');
  });

  test('a session that ends takes its sockets with it, and theirs only', async () => {
    server.tokens.set('other', { ...owner, sessionId: 'other' });
    const [ended, stays] = await Promise.all([
      openRaw(server.url, { init: signedIn }),
      openRaw(server.url, { init: { token: 'other' } }),
    ]);
    ended.subscribe('1', 'subscription { events { seq } }');
    stays.subscribe('1', 'subscription { events { seq } }');
    await until('both follow', () => server.scratch.followers() === 2);
    server.tokens.delete('secret-of-ada');
    await until('the socket closes', () => ended.closed !== undefined);
    expect(ended.closed?.code).toBe(4401);
    await until('its subscription ends', () => server.scratch.followers() === 1);
    expect(stays.closed).toBeUndefined();
    stays.socket.close();
  });

  test('a token that ended between two checks starts nothing more', async () => {
    await using slow = await openScratch({ recheckMs: 60_000 });
    const raw = await openRaw(slow.url, { init: signedIn });
    slow.tokens.delete('secret-of-ada');
    raw.subscribe('1', 'mutation { touch }');
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(4401);
    expect(raw.types('1')).not.toContain('next');
  });

  test('changed rights close the socket with 1012, which clients come back from', async () => {
    const raw = await openRaw(server.url, { init: signedIn });
    server.tokens.set('secret-of-ada', { ...owner, role: 'VIEWER', scopes: ['DATA_READ', 'CONTROL_READ'] });
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(1012);
  });
});

describe('what goes wrong in one operation', () => {
  test('a syntax error, an invalid document, wrong variables or a broken resolver leaves the socket and the others alone', async () => {
    const raw = await openRaw(server.url, { init: signedIn });
    raw.subscribe('live', 'subscription { events { seq } }');
    await until('it follows', () => server.scratch.followers() === 1);
    raw.subscribe('syntax', '{');
    raw.subscribe('invalid', '{ nothing }');
    raw.subscribe('operation', 'query A { hello } query B { hello }');
    raw.subscribe('broken', 'subscription { broken }');
    raw.subscribe('variables', 'query ($n: Int!) { things(first: $n) { id } }', { n: 'x' });
    const ids = ['syntax', 'invalid', 'operation', 'broken', 'variables'];
    await until('each has its answer', () => ids.every((id) => raw.types(id).length > 0));
    for (const id of ['syntax', 'invalid', 'operation']) {
      expect(raw.types(id)).toEqual(['error']);
      const [error] = raw.errors(id);
      expect(error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', requestId: expect.any(String) });
    }
    expect(JSON.stringify(raw.messages)).not.toContain('hunter2');
    expect(server.logged.join('')).toContain('hunter2');
    server.scratch.publish({ seq: 7 });
    await until('the event comes', () => raw.types('live').length === 1);
    expect(raw.closed).toBeUndefined();
    raw.socket.close();
  });

  test('what is no message of the protocol closes this socket only', async () => {
    const other = await openRaw(server.url);
    for (const text of [
      '{',
      '[]',
      '{"type":"nothing"}',
      '"x"',
      '{"id":"1","type":"subscribe","payload":{"query":5}}',
    ]) {
      const raw = await openRaw(server.url);
      raw.send(text);
      await until('the socket closes', () => raw.closed !== undefined);
      expect([4400, 4500]).toContain(raw.closed?.code);
    }
    other.subscribe('1', '{ hello }');
    await until('an answer', () => other.types('1').includes('complete'));
    other.socket.close();
  });
});

describe('bounds', () => {
  test('operations of one socket beyond the bound are RATE_LIMITED, the others go on; far beyond it the socket closes', async () => {
    const raw = await openRaw(server.url, { init: signedIn });
    for (let at = 1; at <= 6; at += 1) raw.subscribe(`s${at}`, 'subscription { events { seq } }');
    await until('the sixth is refused', () => raw.types('s6').length > 0);
    const [error] = raw.errors('s6');
    expect(error?.extensions).toMatchObject({ code: 'RATE_LIMITED' });
    server.scratch.publish({ seq: 1 });
    await until('five follow', () =>
      ['s1', 's2', 's3', 's4', 's5'].every((id) => raw.types(id).length === 1),
    );
    raw.socket.close();
  });

  test('a message over the bound closes the socket with 1009', async () => {
    const raw = await openRaw(server.url);
    raw.subscribe('1', '{ hello }', { text: 'x'.repeat(1_100_000) });
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(1009);
  });

  test('a socket that does not begin is closed', async () => {
    const raw = await openRaw(server.url, { init: null });
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(4408);
  });

  test('a client that answers no ping is gone', async () => {
    const raw = await openRaw(server.url, { autoPong: false });
    await until('the socket closes', () => raw.closed !== undefined);
    expect(raw.closed?.code).toBe(1006);
  });

  test('a client that answers its pings stays', async () => {
    const raw = await openRaw(server.url);
    let pings = 0;
    raw.socket.on('ping', () => (pings += 1));
    await until('four pings', () => pings >= 4);
    expect(raw.closed).toBeUndefined();
    raw.socket.close();
  });

  test('sockets beyond the bound are refused with 503', async () => {
    const open = await Promise.all(Array.from({ length: 20 }, () => openRaw(server.url)));
    await expect(openRaw(server.url)).rejects.toThrow('503');
    for (const raw of open) raw.socket.close();
  });

  test('only /graphql takes WebSockets', async () => {
    await expect(openRaw(`${server.url}/other`)).rejects.toThrow('404');
  });
});

test('complete ends a subscription at once, and its id may be used again', async () => {
  const raw = await openRaw(server.url);
  for (let round = 1; round <= 3; round += 1) {
    raw.subscribe('1', 'subscription { events { seq } }');
    await until('it follows', () => server.scratch.followers() === 1);
    raw.send({ id: '1', type: 'complete' });
    await until('it has ended', () => server.scratch.followers() === 0);
  }
  expect(raw.types('1')).toEqual([]);
  expect(raw.closed).toBeUndefined();
  raw.socket.close();
});

test('a subscription that ends by itself is completed', async () => {
  const raw = await openRaw(server.url);
  raw.subscribe('1', 'subscription { count(to: 3) }');
  await until('it is complete', () => raw.types('1').includes('complete'));
  expect(raw.types('1')).toEqual(['next', 'next', 'next', 'complete']);
  raw.socket.close();
});

test('queries run over the socket, and learn that the client has left', async () => {
  const raw = await openRaw(server.url);
  raw.subscribe('1', '{ slow }');
  await until('it runs', () => server.scratch.signals.length === 1);
  raw.socket.terminate();
  await until('the signal aborts', () => server.scratch.signals[0]?.aborted === true);
});
