import type pg from 'pg';
import { ConnectorError } from '#connectors/contract.ts';
import { hangUp } from '#warehouse/postgres-connect.ts';
import { connect } from './connect.ts';
import { readError } from './read-error.ts';
import type { PostgresConfig } from './spec.ts';

/** One moment of the database, which any number of connections read at once. */
export interface Snapshot extends AsyncDisposable {
  /** The connection that holds the moment; for short statements. */
  client: pg.Client;
  /** Runs `work` on a connection of its own, which is kept for the next when it succeeds. */
  use<T>(signal: AbortSignal, work: (client: pg.Client) => Promise<T>): Promise<T>;
}

const begin = 'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** Takes the moment. It lasts until disposed of, or until the connection that holds it is lost. */
export async function takeSnapshot(config: PostgresConfig, signal: AbortSignal): Promise<Snapshot> {
  const client = await connect(config, signal);
  const idle: pg.Client[] = [];
  let closed = false;
  // A statement that plans may take long: the connection goes with the task.
  const stop = () => hangUp(client);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.query(begin);
    const { rows } = await client.query('SELECT pg_export_snapshot() AS id');
    const id: string = rows[0].id;
    return {
      client,
      async use(useSignal, work) {
        const reader = idle.pop() ?? (await join(config, id, useSignal));
        try {
          const result = await work(reader);
          if (closed) hangUp(reader);
          else idle.push(reader);
          return result;
        } catch (error) {
          hangUp(reader);
          throw error;
        }
      },
      async [Symbol.asyncDispose]() {
        closed = true;
        signal.removeEventListener('abort', stop);
        for (const each of [client, ...idle.splice(0)]) hangUp(each);
      },
    };
  } catch (error) {
    hangUp(client);
    signal.throwIfAborted();
    throw readError('the snapshot', error);
  }
}

async function join(config: PostgresConfig, id: string, signal: AbortSignal): Promise<pg.Client> {
  const reader = await connect(config, signal);
  try {
    await reader.query(begin);
    await reader.query(`SET TRANSACTION SNAPSHOT '${id}'`);
    return reader;
  } catch (error) {
    hangUp(reader);
    throw new ConnectorError(
      'TRANSIENT',
      'The moment that this table is read at was lost with its connection.',
      {
        fix: 'The stream is read again from its checkpoint.',
        cause: error,
      },
    );
  }
}
