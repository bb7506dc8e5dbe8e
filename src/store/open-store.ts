import { setTimeout as wait } from 'node:timers/promises';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { AppError, messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { PrismaClient, type Prisma } from '#generated/prisma/client.ts';
import { connect } from './connect.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';
import { holdHome, type HomeHold } from './hold-home.ts';
import { prepareHome } from './home.ts';
import { Listener } from './listener.ts';
import { migrate } from './migrate.ts';

export type Db = PrismaClient;
export type Tx = Prisma.TransactionClient;
export type StoreRole = 'serve' | 'worker' | 'migrate';

const prismaConnectionsMax = 10;
const rawConnectionsMax = 5;
const rawConnectionsMin = 2;
const oldestVersion = 14;
const closeStepMs = 2_000;

/** The metadata store: PostgreSQL, migrated and open. */
export interface Store extends AsyncDisposable {
  db: Db;
  /** Five connections at most, for raw SQL and prepared statements. */
  pool: Pool;
  databaseUrl: string;
  /** The same for as long as the home folder exists. */
  homeId: string;
  /** The names of what was applied when it was opened; empty for a store that was up to date. */
  migrations: readonly string[];
  /**
   * Calls onPayload for each NOTIFY on the channel until disposed of. Reconnects by itself; onReconnect tells that
   * notices may have been missed.
   */
  listen(
    channel: string,
    onPayload: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<AsyncDisposable>;
}

export interface StoreOptions {
  /** Undefined for a PostgreSQL of Sluice's own in the home. */
  databaseUrl: string | undefined;
  home: string;
  role: StoreRole;
  log: Log;
}

/**
 * Opens the store, starting the embedded PostgreSQL where no other is named, and migrates it. A process that serves
 * holds its home alone. Closing takes 15 s at most and stops the embedded PostgreSQL unless another process uses it.
 * Fails with an AppError that says what is wrong with the home, the server, the database or its migrations.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { homeId } = await prepareHome(options.home);
  await using opening = new AsyncDisposableStack();
  const { databaseUrl, hold, embedded } = await reach(options, homeId);
  opening.defer(() => leave(hold, embedded, options.log));
  const applied = await migrate(databaseUrl);
  if (applied.length > 0) options.log.info('The store was migrated', { migrations: applied });

  // Once it closes, connections that are just closing may be cut off by the server's own end: that is no news.
  let isClosing = false;
  const lost = (error: unknown) => {
    if (!isClosing)
      options.log.warn('An idle connection to PostgreSQL was lost', { reason: messageOf(error) });
  };
  const name = `sluice ${options.role}`;
  const pool = new Pool({
    connectionString: databaseUrl,
    max: rawConnectionsMax,
    // These stay, with the statements that are prepared there.
    min: rawConnectionsMin,
    application_name: name,
    keepAlive: true,
  });
  pool.on('error', lost);
  // A connection lost while it is borrowed fails the borrower's query; unheard, it would end the process too.
  pool.on('connect', (client) => client.on('error', () => {}));
  opening.defer(() => within(pool.end()));
  const adapter = new PrismaPg(
    { connectionString: databaseUrl, max: prismaConnectionsMax, application_name: name, keepAlive: true },
    { onPoolError: lost, statementNameGenerator: nameOfStatement as (query: { sql: string }) => string },
  );
  // Prisma's own 2 s to wait for a connection and 5 s to finish fail on a machine that is merely busy.
  const db = new PrismaClient({ adapter, transactionOptions: { maxWait: 10_000, timeout: 30_000 } });
  opening.defer(() => within(db.$disconnect()));
  const listener = new Listener({ databaseUrl, name: `sluice ${options.role} listen`, log: options.log });
  opening.defer(() => listener[Symbol.asyncDispose]());
  opening.defer(() => void (isClosing = true));

  const open = opening.move();
  return {
    db,
    pool,
    databaseUrl,
    homeId,
    migrations: applied,
    listen: (channel, onPayload, onReconnect) => listener.listen(channel, onPayload, onReconnect),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

interface Reached {
  databaseUrl: string;
  hold: HomeHold;
  embedded: EmbeddedPostgres | null;
}

async function reach(options: StoreOptions, homeId: string): Promise<Reached> {
  if (options.databaseUrl !== undefined) {
    await checkServer(options.databaseUrl);
    const hold = await holdHome({ ...options, databaseUrl: options.databaseUrl, homeId, embedded: false });
    return { databaseUrl: options.databaseUrl, hold, embedded: null };
  }
  for (let attempt = 1; ; attempt += 1) {
    const embedded = await startEmbeddedPostgres({
      folder: path.join(options.home, 'postgres'),
      log: options.log,
    });
    const databaseUrl = embedded.url('sluice');
    try {
      await ensureDatabase(embedded);
      return {
        databaseUrl,
        hold: await holdHome({ ...options, databaseUrl, homeId, embedded: true }),
        embedded,
      };
    } catch (error) {
      // A server that was found running may be on its way down, stopped by the process that used it last.
      const taken = error instanceof AppError && error.code === 'CONFLICT';
      if (taken || !embedded.reused || attempt === 5) {
        if (!embedded.reused && !taken) await embedded.stop();
        throw error;
      }
      await wait(100 * attempt);
    }
  }
}

async function ensureDatabase(embedded: EmbeddedPostgres): Promise<void> {
  const client = await connect(embedded.url('postgres'), 'sluice start');
  try {
    const { rows } = await client.query(`SELECT FROM pg_database WHERE datname = 'sluice'`);
    if (rows.length === 0) await client.query('CREATE DATABASE sluice');
  } catch (error) {
    // Another process that starts at the same time made it in between.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  } finally {
    await client.end();
  }
}

async function checkServer(databaseUrl: string): Promise<void> {
  const client = await connect(databaseUrl, 'sluice start');
  try {
    const { rows } = await client.query<{ version: string; encoding: string }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding`,
    );
    const { version = '', encoding = '' } = rows[0] ?? {};
    if (Number.parseInt(version, 10) < oldestVersion) {
      throw new AppError(
        'BAD_USER_INPUT',
        `DATABASE_URL leads to PostgreSQL ${version}; Sluice needs ${oldestVersion} or newer.`,
        {
          fix: 'Upgrade that server, or name another one.',
        },
      );
    }
    if (encoding !== 'UTF8') {
      throw new AppError(
        'BAD_USER_INPUT',
        `The database of DATABASE_URL has the encoding ${encoding}; Sluice needs UTF8.`,
        {
          fix: `Create one with: CREATE DATABASE sluice ENCODING 'UTF8' TEMPLATE template0; and name it in DATABASE_URL.`,
        },
      );
    }
  } finally {
    await client.end();
  }
}

async function leave(hold: HomeHold, embedded: EmbeddedPostgres | null, log: Log): Promise<void> {
  try {
    // While the last user leaves, nobody comes in: whoever tries waits for the lock and starts the server anew.
    if (embedded && (await hold.isLastUser())) await embedded.stop();
  } catch (error) {
    log.warn('The embedded PostgreSQL could not be stopped and goes on', { reason: messageOf(error) });
  }
  await hold[Symbol.asyncDispose]();
}

/** A connection that somebody still uses must not keep the process from ending. */
async function within(closing: Promise<unknown>): Promise<void> {
  await Promise.race([closing, wait(closeStepMs, undefined, { ref: false })]);
}

/**
 * A statement that begins with a comment such as "prepared: viewer_of_session" is planned once a connection, and kept there by that
 * name: for those that come with most requests and take longer to plan than to run. All others have no name.
 */
function nameOfStatement({ sql }: { sql: string }): string | undefined {
  return /^\/\* prepared: (\w{1,60}) \*\//.exec(sql)?.[1];
}
