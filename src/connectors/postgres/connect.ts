import type pg from 'pg';
import { ConnectorError } from '#connectors/contract.ts';
import { dial } from '#warehouse/postgres-connect.ts';
import { Unreachable } from '#warehouse/unreachable.ts';
import type { PostgresConfig } from './spec.ts';

/** Values arrive in one spelling whatever the server, database or role has configured. */
const settings = `
  SET client_encoding = 'UTF8'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = 'content'; SET lc_monetary = 'C';
  SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0;
  SET search_path = pg_catalog`;

/** Else a server that computes for long before its first row goes on for nobody. Since 14, and not on every system. */
const noticeHangUp = `SET client_connection_check_interval = '2s'`;

/**
 * A connection whose values arrive in one spelling. Fails with a ConnectorError whose path names the field of the config
 * to blame, after 10 seconds at most; with the signal's reason when that aborts.
 */
export async function connect(config: PostgresConfig, signal: AbortSignal): Promise<pg.Client> {
  try {
    const client = await dial(config, settings, signal);
    await client.query(noticeHangUp).catch(() => undefined);
    return client;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const { kind, message, fix, path } = error;
    throw new ConnectorError(kind, message, { ...(fix !== undefined && { fix }), path, cause: error.cause });
  }
}
