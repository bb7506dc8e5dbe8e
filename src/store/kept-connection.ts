import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { connect } from './connect.ts';

const firstDelayMs = 100;
const longestDelayMs = 5_000;
/** A connection that died without a word is noticed within two of these. */
const pingEveryMs = 15_000;

/** One connection that is there for as long as it is kept: lost, it is made and prepared again, at most 5 s apart. */
export interface KeptConnection extends AsyncDisposable {
  /** Null while it is lost. */
  readonly client: pg.Client | null;
  /** From now on a loss is wanted: it is neither reported nor made good. */
  letGo(): void;
}

export interface KeepOptions {
  databaseUrl: string;
  /** Its application_name, also used in the log. */
  name: string;
  log: Log;
  /** Runs on every new connection, before it counts as there; `again` is false for the first. */
  prepare(client: pg.Client, again: boolean): Promise<void>;
  /** Runs after the connection was made anew and prepared. */
  onReconnect?(client: pg.Client): void;
}

/** Connects and keeps the connection. Fails when the very first one cannot be made or prepared. */
export async function keepConnection(options: KeepOptions): Promise<KeptConnection> {
  const kept = new Kept(options);
  await kept.open(false);
  return kept;
}

class Kept implements KeptConnection {
  client: pg.Client | null = null;
  private readonly options: KeepOptions;
  private readonly closing = new AbortController();
  private reconnecting: Promise<void> = Promise.resolve();

  constructor(options: KeepOptions) {
    this.options = options;
  }

  async open(again: boolean): Promise<void> {
    const client = await connect(this.options.databaseUrl, this.options.name);
    let gone = false;
    client.once('end', () => {
      gone = true;
      if (this.client === client) this.lost();
    });
    try {
      await this.options.prepare(client, again);
      if (gone) throw new Error('the connection ended while it was prepared');
    } catch (error) {
      end(client);
      throw error;
    }
    this.client = client;
    this.ping(client);
  }

  private lost(): void {
    this.client = null;
    if (this.closing.signal.aborted) return;
    this.options.log.warn('A connection to PostgreSQL was lost and is made again', {
      connection: this.options.name,
    });
    this.reconnecting = this.reconnect();
  }

  private async reconnect(): Promise<void> {
    const { signal } = this.closing;
    for (let delayMs = firstDelayMs; !signal.aborted; delayMs = Math.min(longestDelayMs, delayMs * 2)) {
      // Jitter, so that many processes do not come back in step.
      await wait(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.open(true);
        this.options.log.info('The connection to PostgreSQL is back', { connection: this.options.name });
        if (this.client) this.options.onReconnect?.(this.client);
        return;
      } catch (error) {
        this.options.log.warn('The connection to PostgreSQL cannot be made again yet', {
          connection: this.options.name,
          reason: messageOf(error),
        });
      }
    }
  }

  private ping(client: pg.Client): void {
    const timer = setInterval(() => {
      const answered = client.query({ text: 'SELECT 1', query_timeout: pingEveryMs } as pg.QueryConfig);
      answered.catch(() => end(client));
    }, pingEveryMs);
    timer.unref();
    client.once('end', () => clearInterval(timer));
  }

  letGo(): void {
    this.closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letGo();
    await this.reconnecting;
    const client = this.client;
    this.client = null;
    if (client) await Promise.race([client.end().catch(() => {}), wait(1_000, undefined, { ref: false })]);
  }
}

/** Ends a connection that may not answer any more. */
function end(client: pg.Client): void {
  client.end().catch(() => {});
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
