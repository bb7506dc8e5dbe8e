import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type EndpointLab, type LabStore, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  for (const datastore of labStores) {
    const series = datastore === 'hot' ? 'generate_series(1, 300000)' : 'range(1, 300001)';
    await publish(lab.gql, lab.viewer, {
      metadata: { name: `many_${datastore}`, version: 1 },
      route: `/many/${datastore}`,
      datastore,
      query: `SELECT n, 'some text that takes its place ' || n AS text FROM ${series} AS t(n)`,
      limits: { rows: 1_000_000, timeout: '60s' },
      rateLimit: { requests: 1_000, per: '1d' },
    });
  }
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Sends a request by hand, and gives what came when the other side or `leaveAfter` bytes end it. */
async function raw(request: string, leaveAfter = Infinity): Promise<string> {
  const { hostname, port } = new URL(lab.url);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(request));
  const pieces: Buffer[] = [];
  let bytes = 0;
  socket.on('data', (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= leaveAfter) socket.destroy();
  });
  socket.on('close', () => resolve(Buffer.concat(pieces).toString('latin1')));
  socket.on('error', reject);
  return promise;
}

const usageOf = async (store: LabStore) => {
  await lab.gql.app.endpoints.usage.write();
  const { endpoints } = await lab.gql.ask(
    lab.viewer,
    `{ endpoints(search: "many_${store}") { nodes { usage { calls errors } } } }`,
  );
  return endpoints.nodes[0].usage;
};

test.each(labStores)('on %s HEAD, and clients that leave, hold nothing of the datastore', async (store) => {
  const path = `v1/many/${store}?format=csv`;
  // More than there are connections for streams.
  for (let n = 0; n < 40; n += 1) {
    const { status, headers, text } = await lab.call(path, {}, 'HEAD');
    expect([status, text]).toEqual([200, '']);
    expect(headers['content-type']).toContain('text/csv');
    expect(headers['ratelimit-limit']).toBe('1000');
  }
  const request = `GET /api/${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${lab.token}\r\n\r\n`;
  for (let n = 0; n < 36; n += 1) expect(await raw(request, 10_000)).toMatch(/^HTTP\/1.1 200/);
  await vi.waitFor(async () => expect(await usageOf(store)).toMatchObject({ calls: 76 }), 30_000);
  expect((await lab.call(`v1/many/${store}?format=ndjson`, {}, 'HEAD')).status).toBe(200);
  const { text } = await lab.call(path);
  expect(text.slice(-50)).toContain('300000');
});

test('HTTP/1.0, which has no trailers, is given all rows too', async () => {
  const answer = await raw(
    `GET /api/v1/many/warehouse?format=csv HTTP/1.0\r\nauthorization: Bearer ${lab.token}\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  expect(answer.slice(-50)).toContain('300000');
});
