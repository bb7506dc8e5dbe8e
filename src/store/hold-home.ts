import { createHash } from 'node:crypto';
import type pg from 'pg';
import { AppError } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { PrismaClient } from '#generated/prisma/client.ts';
import { connect } from './connect.ts';
import { keepConnection, type KeptConnection } from './kept-connection.ts';

/** Session locks of this process: gone the moment it dies, by kill -9 too. */
export interface HomeHold extends AsyncDisposable {
  /** True, and nobody may come in any more, when no other process uses the embedded server. */
  isLastUser(): Promise<boolean>;
}

/**
 * Takes the home for a process that serves, and counts any process among the users of an embedded server. A lock lost
 * with its connection is taken again. Fails with CONFLICT naming the process that serves from the same home.
 */
export async function holdHome(options: {
  databaseUrl: string;
  homeId: string;
  home: string;
  role: 'serve' | 'worker' | 'migrate';
  embedded: boolean;
  log: Log;
}): Promise<HomeHold> {
  const { databaseUrl, role } = options;
  const name = `sluice ${role} pid ${process.pid}`;
  const homeKey = homeKeyOf(options.homeId);
  const usersKey = lockKey('sluice users of the embedded server');
  const connection: KeptConnection = await keepConnection({
    databaseUrl,
    name,
    log: options.log,
    prepare: async (client) => {
      // A server behind a network that vanished frees the locks within a minute.
      await client.query(
        'SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4',
      );
      if (options.embedded) await client.query('SELECT pg_advisory_lock_shared($1)', [usersKey]);
      if (role === 'serve') await takeHome(client, homeKey, options.home);
    },
  });
  const leaving = new AsyncDisposableStack();
  leaving.use(connection);
  return {
    async isLastUser() {
      if (!options.embedded) return false;
      connection.letGo();
      const client =
        connection.client ?? leaving.adopt(await connect(databaseUrl, name), (late) => late.end());
      await client.query('SELECT pg_advisory_unlock_shared($1)', [usersKey]);
      const { rows } = await client.query<{ alone: boolean }>('SELECT pg_try_advisory_lock($1) AS alone', [
        usersKey,
      ]);
      return rows[0]?.alone === true;
    },
    [Symbol.asyncDispose]: () => leaving.disposeAsync(),
  };
}

/** Who holds a lock, as `name`; a row even when that is not known. */
const holdersOf = `SELECT a.application_name AS name FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::bigint << 32 | l.objid::bigint) = $1::bigint
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** Whether a process serves from that home now. */
export async function isHomeServed(db: PrismaClient, homeId: string): Promise<boolean> {
  const holders = await db.$queryRawUnsafe<unknown[]>(holdersOf, homeKeyOf(homeId));
  return holders.length > 0;
}

function homeKeyOf(homeId: string): string {
  return lockKey(`sluice home ${homeId}`);
}

async function takeHome(client: pg.Client, key: string, home: string): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [key]);
  if (rows[0]?.taken) return;
  const holders = await client.query<{ name: string | null }>(holdersOf, [key]);
  const pid = /pid (\d+)$/.exec(holders.rows[0]?.name ?? '')?.[1];
  throw new AppError(
    'CONFLICT',
    `Sluice serves from the home ${home} already${pid ? ` (process ${pid})` : ''}.`,
    {
      fix: `Stop ${pid ? `process ${pid}` : 'it'}, or set SLUICE_HOME and SLUICE_PORT to others to run a second one.`,
    },
  );
}

/** A key of PostgreSQL's 64-bit advisory locks for a text. */
export function lockKey(text: string): string {
  return createHash('sha256').update(text).digest().readBigInt64BE().toString();
}
