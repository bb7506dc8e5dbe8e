import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { findTarget, OutgoingError, post } from '#base/outgoing.ts';
import { isPublicAddress } from '#base/public-address.ts';
import { testCertificate, testKey } from '../../support/tls-proxy.ts';

test.each([
  ['this network', '0.0.0.0'],
  ['private', '10.1.2.3'],
  ['private', '172.31.255.255'],
  ['private', '192.168.0.1'],
  ['CGNAT', '100.64.0.1'],
  ['loopback', '127.8.8.8'],
  ['link-local, where clouds keep their keys', '169.254.169.254'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['IPv4-mapped', '::ffff:8.8.8.8'],
  ['IPv4-compatible', '::8.8.8.8'],
  ['NAT64', '64:ff9b::808:808'],
  ['local NAT64', '64:ff9b:1::1'],
  ['unique-local', 'fd00::1'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['multicast', 'ff02::1'],
  ['Teredo', '2001:0:808:808::1'],
  ['6to4', '2002:7f00:1::1'],
  ['documentation', '2001:db8::1'],
  ['no address', 'localhost'],
])('%s is not public: %s', (_what, address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::200e'])(
  '%s is public',
  (address) => {
    expect(isPublicAddress(address)).toBe(true);
  },
);

async function refusalOf(url: string, allowed: readonly string[] = []): Promise<string> {
  const error: unknown = await findTarget(url, allowed).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OutgoingError);
  expect((error as OutgoingError).refused).toBe(true);
  return (error as OutgoingError).message;
}

test('an address that is not public is refused however it is spelled, and by whatever name', async () => {
  const spelled = [
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://localhost/',
    'http://LOCALHOST./',
  ];
  for (const url of spelled) expect(await refusalOf(url), url).toMatch(/not public/);
});

test('only http and https without a user are taken', async () => {
  expect(await refusalOf('file:///etc/passwd')).toMatch(/only http: and https:/);
  expect(await refusalOf('gopher://8.8.8.8/')).toMatch(/only http: and https:/);
  expect(await refusalOf('http://me:secret@8.8.8.8/')).toMatch(/user name or a password/);
  expect(await refusalOf('hooks.example.com/x')).toMatch(/not a URL/);
  expect(await refusalOf(`http://8.8.8.8/${'x'.repeat(2_000)}`)).toMatch(/2000 characters/);
});

test('what is allowed may be private: the host, or the host at that port alone', async () => {
  expect((await findTarget('http://localhost:9000/', ['localhost'])).addresses.length).toBeGreaterThan(0);
  expect((await findTarget('http://localhost:9000/', ['localhost:9000'])).url.port).toBe('9000');
  expect((await findTarget('https://127.0.0.1/', ['127.0.0.1:443'])).url.hostname).toBe('127.0.0.1');
  expect(await refusalOf('http://localhost:9001/', ['localhost:9000'])).toMatch(/not public/);
  expect(await refusalOf('http://127.0.0.1:9000/', ['localhost:9000'])).toMatch(/not public/);
});

async function serving(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a request goes to the address that was checked, though its name leads elsewhere by now, and under that name', async () => {
  const hosts: (string | undefined)[] = [];
  await using server = await serving((request, response) => {
    hosts.push(request.headers.host);
    response.end();
  });
  const url = new URL(`http://nowhere.invalid:${server.port}/hook`);
  const target = { url, addresses: [{ address: '127.0.0.1', family: 4 }] };
  expect(await post(target, { headers: {}, body: '{}' })).toEqual({ status: 200 });
  expect(hosts).toEqual([`nowhere.invalid:${server.port}`]);
});

test('a redirect is not followed, and an endless answer is not read to its end', async () => {
  let asked = 0;
  await using server = await serving((request, response) => {
    asked += 1;
    if (request.url === '/redirect') response.writeHead(307, { location: '/other' }).end();
    else {
      const timer = setInterval(() => response.write('x'.repeat(100_000)), 1);
      response.on('close', () => clearInterval(timer));
    }
  });
  const target = await findTarget(`http://127.0.0.1:${server.port}/redirect`, ['127.0.0.1']);
  expect(await post(target, { headers: {}, body: '' })).toEqual({ status: 307 });
  expect(asked).toBe(1);
  const endless = await findTarget(`http://127.0.0.1:${server.port}/endless`, ['127.0.0.1']);
  expect(await post(endless, { headers: {}, body: '' })).toEqual({ status: 200 });
});

test('what cannot be reached is told without its address', async () => {
  let port = 0;
  {
    await using server = await serving(() => {});
    port = server.port;
  }
  const target = await findTarget(`http://127.0.0.1:${port}/`, ['127.0.0.1']);
  await expect(post(target, { headers: {}, body: '' })).rejects.toThrow(
    /^There was no answer \(ECONNREFUSED\)\.$/,
  );
});

test('a certificate that nobody vouches for is no answer', async () => {
  let asked = 0;
  const server = createSecureServer({ key: testKey, cert: testCertificate }, (_request, response) => {
    asked += 1;
    response.end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const target = await findTarget(`https://127.0.0.1:${port}/`, ['127.0.0.1']);
  await expect(post(target, { headers: {}, body: '' })).rejects.toThrow(/^There was no answer \(\w+\)\.$/);
  expect(asked).toBe(0);
  server.close();
});

test('an answer that is none ends the wait: a change of protocol, nonsense, and silence once it is not waited for', async () => {
  const answers = [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    'nonsense\r\n\r\n',
    '',
  ];
  for (const answer of answers) {
    await using server = await serving((request) => {
      if (answer !== '') request.socket.end(answer);
    });
    const target = await findTarget(`http://127.0.0.1:${server.port}/`, ['127.0.0.1']);
    const waiting = post(target, { headers: {}, body: '' }, AbortSignal.timeout(300));
    await expect(waiting, answer).rejects.toBeInstanceOf(OutgoingError);
  }
});
