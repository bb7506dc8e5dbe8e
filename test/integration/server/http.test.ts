import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answerOf, openScratch, type ScratchServer, until } from './open-scratch.ts';

let server: ScratchServer;
beforeEach(async () => {
  server = await openScratch({ headersMs: 500, requestMs: 1_000 });
});
afterEach(() => server[Symbol.asyncDispose]());

const json = { 'content-type': 'application/json' };
const post = (headers: Record<string, string>, body: BodyInit) =>
  fetch(`${server.url}/graphql`, { method: 'POST', headers, body });
const get = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`, { headers });
const cookie = 'sluice_session=secret-of-ada';

/** A request with headers that fetch does not let anyone set, as browsers do. */
function asBrowser(path: string, headers: Record<string, string>, body?: string) {
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>(
    (resolve, reject) => {
      const request = httpRequest(
        `${server.url}${path}`,
        { method: body ? 'POST' : 'GET', headers },
        (response) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    },
  );
}

describe('who asks', () => {
  test('a bearer token and the cookie of a session sign in; without either nobody is signed in', async () => {
    expect((await server.ask('{ whoami }')).data).toEqual({ whoami: null });
    expect((await server.ask('{ whoami }', { token: 'secret-of-ada' })).data).toEqual({ whoami: 'ada' });
    expect((await server.ask('{ whoami }', { headers: { cookie } })).data).toEqual({ whoami: 'ada' });
  });

  test('a token that is worth nothing is UNAUTHENTICATED with 401, never silently nobody', async () => {
    const worthless: Record<string, string>[] = [
      { authorization: 'Bearer stolen' },
      { authorization: 'Basic YTpi' },
      { authorization: '' },
      { cookie: 'sluice_session=old' },
    ];
    for (const headers of worthless) {
      const answer = await server.ask('{ whoami }', { headers });
      expect(answer.status).toBe(401);
      expect(answer.data).toBeUndefined();
      expect(answer.errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
      expect(answer.errors[0]?.extensions.fix).toBeTruthy();
      expect(JSON.stringify(answer.errors)).not.toContain('stolen');
    }
  });

  test('a dead cookie is cleared with the refusal, so that its browser can log in again', async () => {
    const answer = await server.ask('{ whoami }', { headers: { cookie: 'sluice_session=old' } });
    expect(answer.headers.get('set-cookie')).toMatch(/^sluice_session=; .*Max-Age=0/);
  });

  test('the cookie is HttpOnly, SameSite=Lax and for the whole host; over TLS it is __Host- and Secure', async () => {
    const enter = 'mutation { enter(token: "t") }';
    expect((await server.ask(enter)).headers.get('set-cookie')).toBe(
      'sluice_session=t; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000',
    );
    const tls = await server.ask(enter, { headers: { 'x-forwarded-proto': 'https' } });
    expect(tls.headers.get('set-cookie')).toBe(
      '__Host-sluice_session=t; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000; Secure',
    );
    const headers = { 'x-forwarded-proto': 'https', cookie: '__Host-sluice_session=secret-of-ada' };
    expect((await server.ask('{ whoami }', { headers })).data).toEqual({ whoami: 'ada' });
    const plain = { 'x-forwarded-proto': 'https', cookie };
    expect((await server.ask('{ whoami }', { headers: plain })).data).toEqual({ whoami: null });
  });
});

describe('foreign pages', () => {
  test('no origin is granted anything by CORS, for a preflight neither', async () => {
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
    for (const method of ['OPTIONS', 'POST', 'GET']) {
      const response = await fetch(`${server.url}/graphql?query={hello}`, { method, headers });
      const granted = [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));
      expect(granted).toEqual([]);
      if (method === 'OPTIONS') expect(response.status).toBe(405);
    }
  });

  test('what a form can send without a preflight is not executed: urlencoded, multipart, text/plain, no type', async () => {
    const form = new FormData();
    form.set('operations', JSON.stringify({ query: 'mutation { touch }' }));
    form.set('map', '{}');
    const bodies: [string, BodyInit][] = [
      ['application/x-www-form-urlencoded', 'query=mutation{touch}'],
      ['text/plain', '{"query":"mutation{touch}"}'],
      ['application/graphql', 'mutation{touch}'],
      ['application/json; charset=latin1', '{"query":"mutation{touch}"}'],
    ];
    for (const [type, body] of bodies) {
      const answer = await answerOf(await post({ 'content-type': type }, body));
      expect(answer.status).toBe(415);
      expect(answer.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
    expect((await post({}, form)).status).toBe(415);
    expect((await post({}, new Uint8Array(Buffer.from('{"query":"{hello}"}')))).status).toBe(415);
  });

  test('a page of another origin may not use the cookie, even of the same site', async () => {
    const body = JSON.stringify({ query: '{ whoami }' });
    const foreign: Record<string, string>[] = [
      { origin: 'http://evil.example' },
      { origin: 'http://127.0.0.1:1' },
      { origin: 'null' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of foreign) {
      const answer = await asBrowser('/graphql', { ...json, cookie, ...headers }, body);
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('FORBIDDEN');
    }
    const own = await asBrowser(
      '/graphql',
      { ...json, cookie, origin: server.url, 'sec-fetch-site': 'same-origin' },
      body,
    );
    expect(own.text).toContain('ada');
  });

  test('a GET with the cookie needs proof that no foreign page sent it; one with a bearer token does not', async () => {
    const path = '/graphql?query={whoami}';
    expect((await asBrowser(path, { cookie })).status).toBe(403);
    expect((await asBrowser(path, { cookie, 'graphql-require-preflight': '1' })).text).toContain('ada');
    expect((await asBrowser(path, { cookie, 'sec-fetch-site': 'same-origin' })).text).toContain('ada');
    expect((await asBrowser(path, { authorization: 'Bearer secret-of-ada' })).text).toContain('ada');
  });

  test('GET executes queries only', async () => {
    const answer = await answerOf(await get('mutation { touch }'));
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
    expect((await answerOf(await get('{ hello }'))).data).toEqual({ hello: 'hello ' });
  });
});

describe('what is read', () => {
  test('a body over the bound is refused with 413, by its length and while it streams', async () => {
    const large = JSON.stringify({ query: '{ hello }', variables: { text: 'x'.repeat(1_000_000) } });
    const known = await answerOf(await post(json, large));
    expect(known.status).toBe(413);
    expect(known.errors[0]).toMatchObject({
      message: 'The body is larger than 1000000 bytes.',
      extensions: { code: 'BAD_USER_INPUT' },
    });
    const streamed = await asBrowser('/graphql', { ...json, 'transfer-encoding': 'chunked' }, large);
    expect(streamed.status).toBe(413);
    // A client that is still sending when it is refused must be able to read why.
    const huge = await post(json, Buffer.alloc(30_000_000, ' '));
    expect(huge.status).toBe(413);
    expect((await server.ask('{ hello }')).status).toBe(200);
  });

  test('a compressed body is not unpacked', async () => {
    const body = gzipSync(JSON.stringify({ query: '{ hello }' }));
    expect((await post({ ...json, 'content-encoding': 'gzip' }, body)).status).toBe(415);
  });

  test('several operations in one request are refused', async () => {
    const answer = await answerOf(
      await post(json, JSON.stringify([{ query: '{ hello }' }, { query: '{ hello }' }])),
    );
    expect(answer.status).toBe(400);
    expect(answer.errors[0]?.message).toBe('Batching is not supported.');
  });

  test('what is no operation is BAD_USER_INPUT with what to send, and 400 whatever is accepted', async () => {
    for (const body of ['{', 'null', '"x"', '{}', '{"query":5}', '{"query":"{ hello }","operationName":5}']) {
      const answer = await answerOf(await post(json, body));
      expect(answer.status).toBe(400);
      expect(answer.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', fix: expect.any(String) });
    }
    const answer = await answerOf(await fetch(`${server.url}/graphql?query={hello}&variables={`));
    expect(answer.status).toBe(400);
    expect(answer.errors[0]?.message).toContain('A parameter of the URL is not JSON');
  });

  test('a client that sends its headers or body too slowly is cut off', async () => {
    for (const begin of [
      'POST /graphql HTTP/1.1\r\nHost: x\r\n',
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{',
    ]) {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      let closed = false;
      socket
        .on('close', () => (closed = true))
        .on('error', () => {})
        .resume();
      socket.write(begin);
      await until('the slow client is cut off', () => closed);
    }
  });

  test('an address that is no URL is 404 and ends nothing', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write('GET // HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('an answer', () => text.includes('\r\n\r\n'));
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1.1 404/);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});

describe('what is answered', () => {
  test('every error has a code of the contract and the id of the request, which the header repeats', async () => {
    const queries = [
      '{',
      '{ nothing }',
      'query ($n: Int!) { things(first: $n) { id } }',
      '{ expected }',
      '{ unexpected }',
      '{ a: hello',
      'fragment F on Query { hello }',
    ];
    for (const query of queries) {
      const answer = await server.ask(query);
      expect(answer.status).toBe(200);
      expect(answer.errors.length).toBeGreaterThan(0);
      for (const { extensions } of answer.errors) {
        expect(['BAD_USER_INPUT', 'NOT_FOUND', 'INTERNAL']).toContain(extensions.code);
        expect(extensions.requestId).toBe(answer.headers.get('x-request-id'));
      }
    }
    expect((await server.ask('{ nothing }')).errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    expect((await server.ask('{ expected }')).errors[0]).toMatchObject({
      message: 'There is no such thing.',
      extensions: { code: 'NOT_FOUND', fix: 'Look elsewhere.' },
    });
  });

  test('what nobody foresaw is masked, and logged whole under the id of the request', async () => {
    const answer = await server.ask('{ unexpected }', { headers: { 'x-request-id': 'traced-0001' } });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'INTERNAL', requestId: 'traced-0001' });
    const line = server.logged.find((text) => text.includes('hunter2'));
    expect(line).toContain('traced-0001');
    expect(line).toContain('scratch-schema.ts');
  });

  test('a request id that could forge a line of the log is replaced', async () => {
    const answer = await asBrowser('/health', { 'x-request-id': 'a"b\tc,level:error' });
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('every answer forbids sniffing, framing and content of its own', async () => {
    for (const path of ['/graphql?query={hello}', '/health', '/nowhere', '/sign-in?token=x']) {
      const { headers } = await fetch(`${server.url}${path}`);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(['no-referrer', 'same-origin']).toContain(headers.get('referrer-policy'));
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });

  test('a query or mutation is streamed too when only an event stream is taken', async () => {
    const response = await post({ ...json, accept: 'text/event-stream' }, '{"query":"{ hello }"}');
    expect(await response.text()).toBe(
      ':\n\nevent: next\ndata: {"data":{"hello":"hello "}}\n\nevent: complete\ndata:\n\n',
    );
  });

  test('nothing is executed whose answer the client does not take', async () => {
    const body = '{"query":"mutation { enter(token: \\"t\\") }"}';
    const response = await post({ ...json, accept: 'text/html' }, body);
    expect(response.status).toBe(406);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect((await answerOf(response)).errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('a resolver learns that the client has left', async () => {
    const leave = new AbortController();
    const asked = fetch(`${server.url}/graphql?query={slow}`, { signal: leave.signal }).catch(() => {});
    await until('the query runs', () => server.scratch.signals.length === 1);
    leave.abort();
    await asked;
    await until('the signal aborts', () => server.scratch.signals[0]?.aborted === true);
  });

  test('/health and /ready answer', async () => {
    expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: 'ok' });
    expect(await (await fetch(`${server.url}/ready`)).json()).toEqual({ status: 'ready' });
  });
});

describe('a sign-in link', () => {
  const form = (token: string) => ({
    'content-type': 'application/x-www-form-urlencoded',
    body: `token=${token}`,
  });

  test('is not used up by who only looks at it, and signs in once by its button', async () => {
    server.links.set('once', 'secret-of-ada');
    const page = await fetch(`${server.url}/sign-in?token=once`);
    expect(await page.text()).toContain('<form method="post" action="/sign-in">');
    const { body, ...headers } = form('once');
    const used = await asBrowser('/sign-in', { ...headers, origin: server.url }, body);
    expect(used.status).toBe(303);
    expect(used.headers['location']).toBe('/graphql');
    expect(String(used.headers['set-cookie'])).toContain('sluice_session=secret-of-ada; Path=/; HttpOnly');
    const again = await asBrowser('/sign-in', headers, body);
    expect(again.status).toBe(401);
    expect(again.text).toContain('This sign-in link was used.');
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  test('does not sign a visitor of a foreign page in as somebody else', async () => {
    server.links.set('once', 'secret-of-ada');
    const { body, ...headers } = form('once');
    const used = await asBrowser('/sign-in', { ...headers, origin: 'http://evil.example' }, body);
    expect(used.status).toBe(403);
    expect(server.links.has('once')).toBe(true);
  });

  test('is shown escaped', async () => {
    const page = await fetch(`${server.url}/sign-in?token=${encodeURIComponent('"><script>')}`);
    expect(await page.text()).not.toContain('<script>');
  });
});
