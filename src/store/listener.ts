import { escapeIdentifier, type Client } from 'pg';
import { AppError } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { keepConnection, type KeptConnection } from './kept-connection.ts';

interface Subscriber {
  onPayload(payload: string): void;
  onReconnect?: (() => void) | undefined;
}

/** All LISTENs of a process over one connection, made at the first of them. */
export class Listener implements AsyncDisposable {
  private readonly channels = new Map<string, Set<Subscriber>>();
  private readonly databaseUrl: string;
  private readonly name: string;
  private readonly log: Log;
  private connection: Promise<KeptConnection> | null = null;
  private closed = false;

  constructor(options: { databaseUrl: string; name: string; log: Log }) {
    this.databaseUrl = options.databaseUrl;
    this.name = options.name;
    this.log = options.log;
  }

  /**
   * Calls onPayload for each notice on the channel until disposed of; it is listening when this resolves. When the
   * connection was lost and listens again, onReconnect says that notices may have been missed.
   */
  async listen(
    channel: string,
    onPayload: (payload: string) => void,
    onReconnect?: () => void,
  ): Promise<AsyncDisposable> {
    if (this.closed)
      throw new AppError('INTERNAL', `The store is closed: it cannot listen on "${channel}" any more.`);
    const subscriber: Subscriber = { onPayload, onReconnect };
    const subscribers = this.channels.get(channel) ?? new Set();
    subscribers.add(subscriber);
    this.channels.set(channel, subscribers);
    const leave = async () => {
      subscribers.delete(subscriber);
      if (subscribers.size > 0 || this.channels.get(channel) !== subscribers) return;
      this.channels.delete(channel);
      const open = await this.connection?.catch(() => null);
      // A connection that is lost listens to nothing, and its successor only to the channels still in the map. One
      // that came to listen meanwhile has its LISTEN queued behind this.
      if (!this.channels.has(channel)) await run(open?.client, `UNLISTEN ${escapeIdentifier(channel)}`);
    };
    try {
      const { client } = await this.connected();
      await run(client, `LISTEN ${escapeIdentifier(channel)}`);
    } catch (error) {
      await leave();
      throw error;
    }
    return { [Symbol.asyncDispose]: leave };
  }

  private connected(): Promise<KeptConnection> {
    this.connection ??= keepConnection({
      databaseUrl: this.databaseUrl,
      name: this.name,
      log: this.log,
      prepare: async (client) => {
        client.on('notification', ({ channel, payload }) => {
          for (const subscriber of this.channels.get(channel) ?? []) {
            this.tell(channel, () => subscriber.onPayload(payload ?? ''));
          }
        });
      },
      onReconnect: (client) => void this.resume(client),
    }).catch((error: unknown) => {
      this.connection = null;
      throw error;
    });
    return this.connection;
  }

  /** Runs once the new connection is the one that listen() uses, so that no channel falls between the two. */
  private async resume(client: Client): Promise<void> {
    const channels = [...this.channels.keys()].map((channel) => `LISTEN ${escapeIdentifier(channel)}`);
    try {
      if (channels.length > 0) await client.query(channels.join('; '));
    } catch {
      // Lost again: the next connection resumes.
      return;
    }
    for (const [channel, subscribers] of this.channels) {
      for (const subscriber of subscribers) this.tell(channel, () => subscriber.onReconnect?.());
    }
  }

  /** What a listener throws would otherwise end the process, and silence the others of its channel. */
  private tell(channel: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.log.error('A listener failed on a notice', { channel, error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    this.channels.clear();
    const open = await this.connection?.catch(() => null);
    await open?.[Symbol.asyncDispose]();
  }
}

/** Runs a command unless the connection is lost, or is being lost right now: its successor does without. */
async function run(client: Client | null | undefined, command: string): Promise<void> {
  if (!client) return;
  try {
    await client.query(command);
  } catch (error) {
    if ((error as { code?: string }).code?.match(/^(?!57P)[0-9A-Z]{5}$/)) throw error;
  }
}
