import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EndpointLab, type LabStore, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  await publish(lab.gql, lab.viewer, {
    metadata: { name: 'open', version: 1 },
    route: '/open',
    auth: { public: true },
    rateLimit: { requests: 8, per: '1d', by: 'address' },
    query: `SELECT id, repeat('x', 100) AS text FROM raw.users WHERE id < :below`,
    params: [{ name: 'below', type: 'integer', required: true }],
    pagination: { key: ['id'] },
  });
  for (const datastore of labStores) {
    const series = datastore === 'hot' ? 'generate_series(1, 300000)' : 'range(1, 300001)';
    await publish(lab.gql, lab.viewer, {
      metadata: { name: `breaks_${datastore}`, version: 1 },
      route: `/breaks/${datastore}`,
      datastore,
      query: `SELECT n, CAST(CASE WHEN n = :bad THEN 'x' ELSE '1' END AS integer) AS one FROM ${series} AS t(n)`,
      params: [{ name: 'bad', type: 'integer', default: 250_000 }],
      limits: { rows: 1_000_000, timeout: '60s' },
    });
  }
  await publish(lab.gql, lab.viewer, {
    metadata: { name: 'many', version: 1 },
    route: '/many',
    query: 'SELECT n FROM range(1000) AS t(n)',
  });
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Sends a request by hand. What came, and whether the other side broke the connection off. */
async function raw(path: string, version: '1.0' | '1.1'): Promise<{ text: string; isBroken: boolean }> {
  const { hostname, port } = new URL(lab.url);
  const { promise, resolve } = Promise.withResolvers<{ text: string; isBroken: boolean }>();
  const lines = [`GET /api/${path} HTTP/${version}`, 'host: x', `authorization: Bearer ${lab.token}`];
  const socket = connect({ host: hostname, port: Number(port) }, () =>
    socket.write(`${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`),
  );
  const pieces: Buffer[] = [];
  let isBroken = false;
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.on('error', () => (isBroken = true));
  socket.on('close', () => resolve({ text: Buffer.concat(pieces).toString('latin1'), isBroken }));
  return promise;
}

test('every answer of a public endpoint, failures too, may be read by pages of any origin', async () => {
  const readable = {
    'access-control-allow-origin': '*',
    'access-control-expose-headers': '*',
    'cross-origin-resource-policy': 'cross-origin',
  };
  const asked: [number, string, Record<string, string>?, string?][] = [
    [200, 'v1/open?below=3'],
    [200, 'v1/open?below=3&format=csv'],
    [400, 'v1/open'],
    [406, 'v1/open?below=3', { accept: 'image/png' }],
    [405, 'v1/open?below=3', {}, 'PUT'],
    [204, 'v1/open', {}, 'OPTIONS'],
  ];
  for (const [status, path, headers = {}, method = 'GET'] of asked) {
    const answer = await lab.call(path, headers, method);
    expect([answer.status, answer.headers], `${method} ${path}`).toMatchObject([status, readable]);
  }
  let last = await lab.call('v1/open?below=3');
  for (let n = 0; n < 8; n += 1) last = await lab.call('v1/open?below=3');
  expect([last.status, last.headers]).toMatchObject([429, readable]);
});

test('a page of any origin is let send what a public endpoint takes, and nothing to another', async () => {
  const ask = { origin: 'https://a.example', 'access-control-request-method': 'GET' };
  const open = await lab.call('v1/open', ask, 'OPTIONS');
  expect(open.headers).toMatchObject({
    'access-control-allow-methods': 'GET, HEAD, OPTIONS',
    // All but Authorization, which has to be named.
    'access-control-allow-headers': '*',
  });
  const closed = await lab.call('v1/breaks/hot', ask, 'OPTIONS');
  expect(Object.keys(closed.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test('a 304 has the ETag of the answer that it stands for, whatever its coding', async () => {
  for (const coding of ['identity', 'gzip', 'br']) {
    const headers = { 'accept-encoding': coding };
    const first = await lab.call('v1/many', headers);
    const etag = String(first.headers['etag']);
    expect(first.headers['content-encoding'] ?? 'identity').toBe(coding);
    const again = await lab.call('v1/many', { ...headers, 'if-none-match': etag });
    expect([again.status, again.headers['etag'], again.text]).toEqual([304, etag, '']);
    expect(again.headers['content-type']).toBeUndefined();
  }
});

test('what is asked in another way than there is, is 405 and says which there are', async () => {
  for (const [path, method] of [
    ['openapi.json', 'POST'],
    ['endpoint.schema.json', 'DELETE'],
    ['docs', 'POST'],
    ['v1/open?below=3', 'POST'],
  ]) {
    const { status, headers } = await lab.call(path!, {}, method);
    expect([status, headers['allow']], path).toEqual([405, 'GET, HEAD, OPTIONS']);
  }
  for (const path of ['openapi.json', 'endpoint.schema.json', 'docs']) {
    const { status, headers, text } = await lab.call(path, {}, 'OPTIONS');
    expect([status, headers['allow'], text], path).toEqual([204, 'GET, HEAD, OPTIONS', '']);
  }
});

test.each(labStores)(
  'on %s rows that end before all were given do not look whole',
  async (store: LabStore) => {
    const path = `v1/breaks/${store}?format=csv`;
    const chunked = await raw(path, '1.1');
    expect(chunked.text).toMatch(/^HTTP\/1.1 200/);
    expect(chunked.text).toContain('1000,1');
    expect(chunked.text).not.toMatch(/\r\n0\r\n/);
    expect(chunked.text).not.toContain('sluice-truncated:');
    // Where nothing but the end of the connection ends a body.
    const plain = await raw(path, '1.0');
    expect(plain.text).toContain('1000,1');
    expect(plain.isBroken).toBe(true);
    const whole = await raw(`${path}&bad=-1`, '1.0');
    expect([whole.isBroken, whole.text.slice(-10)]).toEqual([false, '\n300000,1\r\n'.slice(-10)]);
    // JSON is sent when all of it is there.
    expect((await lab.call(`v1/breaks/${store}`)).status).toBe(400);
  },
);
