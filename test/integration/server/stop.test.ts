import { Agent, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { createClient } from 'graphql-ws';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openRaw } from './raw-socket.ts';
import { openScratch, until } from './open-scratch.ts';

const eventStream = { 'content-type': 'application/json', accept: 'text/event-stream' };

describe('a stop', () => {
  test('closes followers with 1001, so that clients come back and resume, and ends their subscriptions', async () => {
    const server = await openScratch();
    const raw = await openRaw(server.url);
    raw.subscribe('1', 'subscription { events { seq } }');
    await until('it follows', () => server.scratch.followers() === 1);
    await server[Symbol.asyncDispose]();
    expect(raw.closed?.code).toBe(1001);
    expect(raw.types('1')).toEqual([]);
    expect(server.scratch.followers()).toBe(0);
  });

  test('cuts event streams without "complete", which would tell clients not to come back', async () => {
    const server = await openScratch();
    const body = JSON.stringify({ query: 'subscription { events { seq } }' });
    const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers: eventStream, body });
    await until('it follows', () => server.scratch.followers() === 1);
    const read = response.text();
    await Promise.all([expect(read).rejects.toThrow(), server[Symbol.asyncDispose]()]);
    expect(server.scratch.followers()).toBe(0);
  });

  test('lets a client of graphql-ws go on by itself when the server is back on its port', async () => {
    const first = await openScratch();
    const { port } = new URL(first.url);
    const seen: unknown[] = [];
    const client = createClient({
      url: `ws://127.0.0.1:${port}/graphql`,
      webSocketImpl: WebSocket,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    });
    const stop = client.subscribe(
      { query: 'subscription { events { seq } }' },
      {
        next: ({ data }) => seen.push(data),
        error: (error) => seen.push(error),
        complete: () => seen.push('complete'),
      },
    );
    await until('it follows', () => first.scratch.followers() === 1);
    await first[Symbol.asyncDispose]();
    await using second = await openScratch({}, '127.0.0.1', Number(port));
    await until('it follows again', () => second.scratch.followers() === 1);
    second.scratch.publish({ seq: 2 });
    await until('the event comes', () => seen.length > 0);
    expect(seen).toEqual([{ events: { seq: 2 } }]);
    stop();
    await client.dispose();
  });

  test('lets running requests end, and takes no new connection meanwhile', async () => {
    const server = await openScratch();
    const running = fetch(`${server.url}/graphql?query={slow}`);
    await until('the query runs', () => server.scratch.signals.length === 1);
    const stopped = server[Symbol.asyncDispose]();
    await until('nothing new is taken', () => server.stopping());
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    server.scratch.release();
    expect(await (await running).json()).toEqual({ data: { slow: 'done' } });
    await stopped;
  });

  test('waits no longer than its deadline for a request that does not end', async () => {
    const server = await openScratch({ stopMs: 200 });
    const running = fetch(`${server.url}/graphql?query={slow}`).catch(() => 'cut off');
    await until('the query runs', () => server.scratch.signals.length === 1);
    const startedAt = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(await running).toBe('cut off');
    await until('the resolver learns of it', () => server.scratch.signals[0]?.aborted === true);
  });

  test('does not wait for idle connections that are kept alive, and /ready says 503 on them meanwhile', async () => {
    const server = await openScratch();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (path: string) =>
      new Promise<number>((resolve, reject) => {
        httpRequest(`${server.url}${path}`, { agent }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        })
          .on('error', reject)
          .end();
      });
    expect(await ask('/ready')).toBe(200);
    const startedAt = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    agent.destroy();
  });
});

describe('where it listens', () => {
  test('a port that is taken is named, with what to do', async () => {
    await using first = await openScratch();
    const { port } = new URL(first.url);
    await expect(openScratch({}, '127.0.0.1', Number(port))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `Port ${port} of 127.0.0.1 is taken by another program.`,
      fix: expect.stringContaining('SLUICE_PORT'),
    });
  });

  test('a host that is not of this machine is named, with what to do', async () => {
    for (const host of ['203.0.113.7', 'no-such-host.invalid']) {
      await expect(openScratch({}, host)).rejects.toMatchObject({
        message: `"${host}" is no address of this machine.`,
        fix: expect.stringContaining('SLUICE_HOST'),
      });
    }
  });

  test('IPv6 addresses are served, and their URL can be asked', async () => {
    const probe = createServer().listen(0, '::1');
    await once(probe, 'listening');
    probe.close();
    await using server = await openScratch({}, '::1');
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await server.ask('{ hello }')).data).toEqual({ hello: 'hello ' });
    const raw = await openRaw(server.url);
    raw.socket.close();
  });

  test('the URL of "every address" is one that can be asked', async () => {
    await using server = await openScratch({}, '0.0.0.0');
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});

test('/ready says 503 with the reason while the store does not answer; /health does not care', async () => {
  await using server = await openScratch();
  server.store.failure = new Error('connection refused');
  const ready = await fetch(`${server.url}/ready`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({
    status: 'not ready',
    reasons: ['The store does not answer: connection refused'],
  });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
