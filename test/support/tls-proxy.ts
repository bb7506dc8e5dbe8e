import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';

/** Speaks PostgreSQL over TLS to its clients, and plainly to the server behind it. */
export interface TlsProxy extends AsyncDisposable {
  port: number;
}

/** The answer of a server that offers TLS to a client that asks for it. */
const willing = 'S';
const sslRequestBytes = 8;

export async function openTlsProxy(to: { host: string; port: number }): Promise<TlsProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const behind = connect(to);
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.once('readable', () => {
      if (client.read(sslRequestBytes) === null) {
        client.destroy();
        return;
      }
      client.write(willing);
      const tls = new TLSSocket(client, { isServer: true, key: testKey, cert: testCertificate });
      tls.on('error', () => behind.destroy());
      tls.pipe(behind).pipe(tls);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Made out for localhost, by itself; good until 2126, and for nothing else. */
export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUfCsyUywKCflrs8adxN+ffR9rbX4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwMzUwMFoYDzIxMjYxMDI4
MTAzNTAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASQT+TL82X927DAS0Q/GdhiV9qVcmeGpMDmQB6DWfIM9QigZpQ0z7Nx
XFMe2sNc3HLmsFZEV9GsVIgwMZCjRlfjo2kwZzAdBgNVHQ4EFgQUeIY0mZTVEpRa
gbA6NEsnaZ0m0uwwHwYDVR0jBBgwFoAUeIY0mZTVEpRagbA6NEsnaZ0m0uwwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAICxMAhLuAFRFGablR5w79lqLIJiRX1zUr6gj1N36vhjAiEA1YhLOO3k
uQla8HJYk114g9MXZ1ZELgmF6QIykUK64KE=
-----END CERTIFICATE-----`;

export const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4CILE7OQM6Znc5Dp
D68aK10uNyHD/hmP/KG9Z5CYlaihRANCAASQT+TL82X927DAS0Q/GdhiV9qVcmeG
pMDmQB6DWfIM9QigZpQ0z7NxXFMe2sNc3HLmsFZEV9GsVIgwMZCjRlfj
-----END PRIVATE KEY-----`;
