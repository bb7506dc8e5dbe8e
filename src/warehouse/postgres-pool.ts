import type pg from 'pg';
import { dial, hangUp, type PostgresServer } from './postgres-connect.ts';
import { postgresDialect } from './postgres-dialect.ts';
import { PostgresMessages } from './postgres-messages.ts';

/** So many wait for the next statement. */
const idleMax = 4;
const idleMs = 30_000;

/** Values arrive in one spelling whatever the server, database or role has configured. */
const settings = `
  SET client_encoding = 'UTF8'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
  SET standard_conforming_strings = on; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = 'content'; SET lc_monetary = 'C';
  SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0`;

/** Else a server that computes for long before its first row goes on for nobody. Not on every system. */
const noticeHangUp = `SET client_connection_check_interval = '2s'`;

/** What a statement may leave behind: its transaction, and what is left although that is rolled back. */
const clean = ['ROLLBACK', 'DEALLOCATE ALL', 'SELECT pg_catalog.pg_advisory_unlock_all()'];

/** Sent behind a statement, they leave the connection in the state of a new one. */
export const cleaning: Buffer = clean
  .reduce((messages, text) => messages.command(text), new PostgresMessages())
  .take();

export interface PostgresConnection {
  client: pg.Client;
  /** The server's process. */
  pid: number;
  /** It waited for this statement: it may have been lost without notice. */
  isUsed: boolean;
  isLost: boolean;
}

/** Connections to one server, as many as are taken. */
export class PostgresPool implements AsyncDisposable {
  readonly #server: PostgresServer;
  readonly #settings: string;
  #idle: { connection: PostgresConnection; timer: NodeJS.Timeout }[] = [];
  readonly #cleaning = new Set<Promise<void>>();
  /** Those that will wait in a moment, for nobody yet: sooner there than a new one. */
  readonly #coming: Promise<void>[] = [];
  #closed = false;

  constructor(server: PostgresServer, schema: string | undefined) {
    this.#server = server;
    const path = schema === undefined ? '' : `; SET search_path = ${postgresDialect.quoteName(schema)}`;
    this.#settings = settings + path;
  }

  /** One that waits, or a new one. Fails with Unreachable, or with the signal's reason. */
  async take(signal: AbortSignal): Promise<PostgresConnection> {
    for (;;) {
      const idle = this.#idle.pop();
      if (!idle) {
        const coming = this.#coming.shift();
        if (!coming) break;
        await coming;
        continue;
      }
      clearTimeout(idle.timer);
      if (!idle.connection.isLost) return idle.connection;
    }
    const client = await dial(this.#server, this.#settings, signal);
    await client.query(noticeHangUp).catch(() => undefined);
    const { processID } = client as unknown as { processID: number };
    const connection = { client, pid: processID, isUsed: false, isLost: false };
    client.once('end', () => {
      connection.isLost = true;
    });
    return connection;
  }

  /** Takes it back, to be given away in the state of a new one: cleaned, unless it was cleaned behind its statement. */
  give(connection: PostgresConnection, isClean = false): void {
    if (isClean && !this.#closed && this.#idle.length < idleMax) {
      this.#rest(connection);
      return;
    }
    const cleaning = this.#clean(connection).finally(() => {
      this.#cleaning.delete(cleaning);
      const at = this.#coming.indexOf(cleaning);
      if (at >= 0) void this.#coming.splice(at, 1);
    });
    this.#cleaning.add(cleaning);
    this.#coming.push(cleaning);
  }

  async #clean(connection: PostgresConnection): Promise<void> {
    const { client } = connection;
    try {
      await client.query(clean.join('; '));
    } catch {
      hangUp(client);
      return;
    }
    if (this.#closed || this.#idle.length >= idleMax) {
      await client.end().catch(() => undefined);
      return;
    }
    this.#rest(connection);
  }

  #rest(connection: PostgresConnection): void {
    const idle = { connection, timer: setTimeout(() => this.#leave(connection), idleMs).unref() };
    connection.isUsed = true;
    this.#idle.push(idle);
  }

  #leave(connection: PostgresConnection): void {
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
    void connection.client.end().catch(() => undefined);
  }

  /** Drops it, and stops in the server what runs there. */
  stop({ client, pid }: PostgresConnection): void {
    hangUp(client);
    const cancelling = this.#cancel(pid).finally(() => this.#cleaning.delete(cancelling));
    this.#cleaning.add(cancelling);
  }

  async #cancel(pid: number): Promise<void> {
    try {
      const other = await this.take(AbortSignal.timeout(10_000));
      await other.client.query('SELECT pg_catalog.pg_cancel_backend($1)', [pid]);
      await this.#clean(other);
    } catch {
      // It then ends by itself: the server looks after its client every two seconds, and has the deadline too.
    }
  }

  /** Those that wait are gone as well: what one of them met, the others meet. */
  forgetIdle(): void {
    for (const { connection, timer } of this.#idle) {
      clearTimeout(timer);
      hangUp(connection.client);
    }
    this.#idle = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#cleaning);
    const idle = this.#idle;
    this.#idle = [];
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.allSettled(idle.map(({ connection }) => connection.client.end()));
  }
}
