import type pg from 'pg';
import { dial, hangUp, type PostgresServer } from './postgres-connect.ts';
import type { PostgresKind } from './postgres-kind.ts';

/** So many wait for the next statement: as many as read at once, since to dial takes far longer than most statements. */
const idleMax = 8;
const idleMs = 30_000;

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
  readonly #kind: PostgresKind;
  readonly #settings: string;
  #idle: { connection: PostgresConnection; timer: NodeJS.Timeout }[] = [];
  readonly #cleaning = new Set<Promise<void>>();
  /** Those that will wait in a moment, for nobody yet: sooner there than a new one. */
  readonly #coming: Promise<void>[] = [];
  #closed = false;

  constructor(server: PostgresServer, kind: PostgresKind, schema: string | undefined) {
    this.#server = server;
    this.#kind = kind;
    const path = schema === undefined ? '' : `; SET search_path = ${kind.dialect.quoteName(schema)}`;
    this.#settings = kind.settings + path;
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
    await client.query(this.#kind.newerSettings).catch(() => undefined);
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
      await client.query(this.#kind.clean.join('; '));
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
