import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { PostgresOptions } from '#warehouse/postgres-protocol.ts';
import { openPostgresWarehouse } from '../postgres-warehouse.ts';
import { translate } from './translate.ts';

/** A server that takes what our dialect writes for Redshift, and the config that leads there. */
export interface RedshiftServer extends AsyncDisposable {
  server: PostgresOptions;
  /** Runs statements of PostgreSQL as who owns the database. */
  load: (statements: readonly string[]) => Promise<void>;
}

/** Starts it over an empty database of PostgreSQL. See README.md for what of Redshift it has. */
export async function startRedshiftServer(): Promise<RedshiftServer> {
  await using opening = new AsyncDisposableStack();
  const postgres = opening.use(await openPostgresWarehouse());
  const { database } = postgres.server;
  await postgres.load([
    await readFile(join(import.meta.dirname, 'redshift-functions.sql'), 'utf8'),
    `ALTER DATABASE "${database}" SET search_path = "$user", public, redshift`,
  ]);
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const behind = connect({ host: postgres.server.host, port: postgres.server.port! });
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.setNoDelay();
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    behind.pipe(client);
    client.once('close', () => behind.destroy());
    behind.once('close', () => client.destroy());
    const take = translating((bytes) => behind.write(bytes));
    client.on('data', take);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  opening.defer(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const open = opening.move();
  const { port } = proxy.address() as AddressInfo;
  return {
    server: { ...postgres.server, host: '127.0.0.1', port, ssl: { mode: 'disable' } },
    load: postgres.load,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Passes on what a client sends, whole messages at a time, with the texts of statements translated. */
function translating(send: (bytes: Buffer) => void): (bytes: Buffer) => void {
  let waiting = Buffer.alloc(0);
  let isStarted = false;
  return (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      // The first message has no letter before its length.
      const before = isStarted ? 1 : 0;
      if (waiting.length < before + 4) return;
      const length = before + waiting.readInt32BE(before);
      if (waiting.length < length) return;
      const message = waiting.subarray(0, length);
      waiting = waiting.subarray(length);
      send(isStarted ? translated(message) : message);
      isStarted = true;
    }
  };
}

function translated(message: Buffer): Buffer {
  const letter = String.fromCharCode(message[0]!);
  if (letter !== 'P' && letter !== 'Q') return message;
  // A statement has a name before its text.
  const from = letter === 'P' ? message.indexOf(0, 5) + 1 : 5;
  const end = message.indexOf(0, from);
  const text = Buffer.from(translate(message.toString('utf8', from, end)), 'utf8');
  const whole = Buffer.concat([message.subarray(0, from), text, message.subarray(end)]);
  whole.writeInt32BE(whole.length - 1, 1);
  return whole;
}
