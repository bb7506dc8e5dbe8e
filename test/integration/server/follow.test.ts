import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRaw, type RawSocket } from './raw-socket.ts';
import { openScratch, owner, type ScratchServer, until } from './open-scratch.ts';

let server: ScratchServer;
beforeEach(async () => {
  server = await openScratch({ recheckMs: 50, stalledMs: 1_000, keepAliveMs: 60_000 });
});
afterEach(() => server[Symbol.asyncDispose]());

const events = 'subscription ($after: String) { events(after: $after) { seq text } }';

interface Stream {
  text(): string;
  ended(): boolean;
  leave(): void;
}

/** Follows over server-sent events. */
async function openEvents(query: string, token?: string, url = server.url): Promise<Stream> {
  const leave = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
    signal: leave.signal,
  });
  let text = '';
  let ended = false;
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  };
  read()
    .catch(() => {})
    .finally(() => (ended = true));
  return { text: () => text, ended: () => ended, leave: () => leave.abort() };
}

async function follow(
  count: number,
  options: { token?: string; after?: (at: number) => string } = {},
): Promise<RawSocket[]> {
  const before = server.scratch.followers();
  const opened = await Promise.all(
    Array.from({ length: count }, () =>
      openRaw(server.url, { init: options.token ? { token: options.token } : {} }),
    ),
  );
  opened.forEach((raw, at) => raw.subscribe('1', events, { after: options.after?.(at) ?? null }));
  await until('all follow', () => server.scratch.followers() === before + count);
  return opened;
}

const close = (sockets: RawSocket[]) => sockets.forEach(({ socket }) => socket.close());
const gotAll = (sockets: RawSocket[], count: number) =>
  until('all have it', () => sockets.every((raw) => raw.types('1').length === count));

describe('an event that many follow', () => {
  test('is executed once for 50 followers, over WebSocket and server-sent events alike', async () => {
    const sockets = await follow(50);
    const stream = await openEvents(events);
    await until('the stream follows', () => server.scratch.followers() === 51);
    server.scratch.publish({ seq: 1, text: 'one' });
    server.scratch.publish({ seq: 2, text: 'two' });
    await gotAll(sockets, 2);
    await until('the stream has it', () => stream.text().includes('two'));
    expect(server.scratch.resolved()).toBe(2);
    expect(sockets[49]?.data('1')).toEqual({ events: { seq: 2, text: 'two' } });
    close(sockets);
    stream.leave();
  });

  test('is executed once also for those who resumed at different places', async () => {
    const sockets = await follow(20, { after: (at) => `cursor-${at}` });
    server.scratch.publish({ seq: 1, text: 'one' });
    await gotAll(sockets, 1);
    expect(server.scratch.resolved()).toBe(1);
    close(sockets);
  });

  test('is executed apart for other rights, other variables and other documents', async () => {
    server.tokens.set('of-bob', { ...owner, memberId: 'bob', role: 'VIEWER', scopes: ['DATA_READ'] });
    server.tokens.set('elsewhere', { ...owner, projectId: 'elsewhere' });
    const sockets = [
      ...(await follow(2)),
      ...(await follow(2, { token: 'secret-of-ada' })),
      ...(await follow(2, { token: 'of-bob' })),
      ...(await follow(2, { token: 'elsewhere' })),
    ];
    const skipping = 'subscription ($skip: Boolean!) { events { seq text text2: text @skip(if: $skip) } }';
    const others = await Promise.all([openRaw(server.url), openRaw(server.url)]);
    others.forEach((raw, at) => raw.subscribe('1', skipping, { skip: at === 0 }));
    await until('all follow', () => server.scratch.followers() === 10);
    server.scratch.publish({ seq: 1, text: 'one' });
    await gotAll([...sockets, ...others], 1);
    expect(server.scratch.resolved()).toBe(4 + 1 + 2);
    expect(others.map((raw) => raw.data('1'))).toEqual([
      { events: { seq: 1, text: 'one' } },
      { events: { seq: 1, text: 'one', text2: 'one' } },
    ]);
    close([...sockets, ...others]);
  });

  test('has a context of its own each time, which nobody who leaves can abort', async () => {
    const raw = await openRaw(server.url);
    raw.subscribe('1', 'subscription { contexts }');
    await until('it follows', () => server.scratch.followers() === 1);
    server.scratch.publish({});
    server.scratch.publish({});
    await gotAll([raw], 2);
    raw.socket.close();
    await until('it has left', () => server.scratch.followers() === 0);
    expect(server.scratch.contexts.size).toBe(2);
    for (const { signal } of server.scratch.contexts) expect(signal.aborted).toBe(false);
  });
});

describe('a stream of server-sent events', () => {
  test('ends with UNAUTHENTICATED within seconds of its session', async () => {
    const stream = await openEvents('subscription { events { seq } }', 'secret-of-ada');
    await until('it follows', () => server.scratch.followers() === 1);
    server.tokens.delete('secret-of-ada');
    await until('it ends', stream.ended);
    expect(stream.text()).toMatch(/event: next\ndata: .*"code":"UNAUTHENTICATED".*\n\nevent: complete/);
    expect(server.scratch.followers()).toBe(0);
  });

  test('ends its subscription when the client leaves', async () => {
    const stream = await openEvents('subscription { events { seq } }');
    await until('it follows', () => server.scratch.followers() === 1);
    stream.leave();
    await until('it has ended', () => server.scratch.followers() === 0);
  });

  test('that fails ends with a masked error', async () => {
    const stream = await openEvents('subscription { broken }');
    await until('it ends', stream.ended);
    expect(stream.text()).toContain('"code":"INTERNAL"');
    expect(stream.text()).not.toContain('hunter2');
  });
});

describe('a subscription over HTTP', () => {
  const subscribe = (url: string, accept: string) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify({ query: 'subscription { events { seq } }' }),
    });

  test('of a client that takes no event stream is refused with 406, and not left running', async () => {
    const response = await subscribe(server.url, 'application/json');
    expect(response.status).toBe(406);
    expect(await response.text()).toContain('text/event-stream');
    await until('nobody follows', () => server.scratch.followers() === 0);
  });

  test('beyond the bound is refused with 503, and one that ended makes room', async () => {
    await using small = await openScratch({ followersMax: 1 });
    const first = await openEvents(events, undefined, small.url);
    const refused = await subscribe(small.url, 'text/event-stream');
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain('RATE_LIMITED');
    first.leave();
    await until('it has left', () => small.scratch.followers() === 0);
    expect((await subscribe(small.url, 'text/event-stream')).status).toBe(200);
  });

  test('ends with a masked error at an event that cannot be written as JSON', async () => {
    const stream = await openEvents('subscription { unwritable }');
    await until('it ends', stream.ended);
    expect(stream.text()).toMatch(/event: next\ndata: .*"code":"INTERNAL".*\n\nevent: complete/);
    expect((await server.ask('{ hello }')).status).toBe(200);
  });
});

/** Asks for a flood over server-sent events, and reads nothing of it. */
async function unreadEvents(): Promise<void> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {}).pause();
  await new Promise((resolve) => socket.once('connect', resolve));
  const body = JSON.stringify({ query: 'subscription { flood }' });
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

async function unreadSocket(): Promise<void> {
  const raw = await openRaw(server.url);
  raw.socket.pause();
  raw.subscribe('1', 'subscription { flood }');
}

/** Resolves with the number once it has stayed the same for a while. */
async function settled(read: () => number): Promise<number> {
  let last = read();
  let since = Date.now();
  await until('the number settles', () => {
    if (read() !== last) [last, since] = [read(), Date.now()];
    return last > 0 && Date.now() - since > 300;
  });
  return last;
}

describe('a client that does not read', () => {
  test.each([
    ['WebSocket', unreadSocket],
    ['server-sent events', unreadEvents],
  ])(
    'over %s is sent what the kernel takes and one event more, and is cut off in the end',
    async (_name, open) => {
      await open();
      const pulled = await settled(server.scratch.pulled);
      // The kernel keeps some 3 to 7 MB of a loopback connection: events of 100 KB, of which one waits in this process.
      expect(pulled).toBeLessThan(100);
      await until('its subscription ends', () => server.scratch.flooding() === 0);
      expect(server.scratch.pulled()).toBeLessThanOrEqual(pulled + 1);
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
    },
  );

  test('of the answers to its own messages is not read from either', async () => {
    const raw = await openRaw(server.url);
    raw.socket.pause();
    const ping = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(50_000) } });
    for (let at = 0; at < 2_000; at += 1) raw.send(ping);
    const unsent = await settled(() => raw.socket.bufferedAmount);
    // 100 MB were offered: what was taken lies in the kernel's buffers, and 1 MB in the server's.
    expect(unsent).toBeGreaterThan(70_000_000);
    raw.socket.terminate();
  });
});
