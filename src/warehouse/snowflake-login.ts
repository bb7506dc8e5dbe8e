import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'snowflake-sdk';
import { NoAnswer, noAccount, SnowflakeError } from './snowflake-errors.ts';

/** How an account is reached, and as whom. Exactly one of password, privateKey and token is there. */
export interface SnowflakeLogin {
  /** Where the account is reached, such as https://org-account.snowflakecomputing.com. */
  url: string;
  account: string;
  username: string;
  password?: string;
  /** PEM. */
  privateKey?: string;
  passphrase?: string;
  token?: string;
  warehouse: string;
  database: string;
  schema?: string;
  role?: string;
  /** The wait before a request that failed in passing is sent again; each wait doubles. */
  firstWaitMs?: number;
}

/** What a session is known by: one token for its statements, and one that renews that. */
export interface Tokens {
  session: string;
  master: string;
}

/** The wait before what failed in passing is asked for again, where a login names none. */
export const firstWaitMsDefault = 250;
const loginTriesMax = 3;

/** It says no more than we ask: its log would hold statements. */
const quiet = { logLevel: 'OFF', additionalLogToConsole: false } as const;

/** Opens a session by Snowflake's own client. Fails as `connect` does. */
export async function logIn(login: SnowflakeLogin): Promise<Tokens> {
  const connection = await connect(login);
  const { services } = JSON.parse(connection.serialize()) as {
    services: { sf: { tokenInfo: { sessionToken: string; masterToken: string } } };
  };
  const { sessionToken, masterToken } = services.sf.tokenInfo;
  return { session: sessionToken, master: masterToken };
}

/**
 * Connects Snowflake's own client, which is loaded now. Fails with SnowflakeError when the account lets nobody in, and with
 * NoAnswer when it cannot be reached, also not by another try.
 */
export async function connect(login: SnowflakeLogin): Promise<Connection> {
  const { firstWaitMs = firstWaitMsDefault } = login;
  for (let tries = 1; ; tries += 1) {
    try {
      return await connectOnce(login);
    } catch (error) {
      if (!(error instanceof NoAnswer) || tries === loginTriesMax) throw error;
      await sleep(firstWaitMs * 2 ** (tries - 1));
    }
  }
}

async function connectOnce(login: SnowflakeLogin): Promise<Connection> {
  const { default: snowflake } = await import('snowflake-sdk');
  snowflake.configure(quiet);
  const { url, password, privateKey, passphrase, token } = login;
  const connection = snowflake.createConnection({
    accessUrl: url,
    account: login.account,
    username: login.username,
    ...(password !== undefined && { password }),
    ...(privateKey !== undefined && { privateKey, authenticator: 'SNOWFLAKE_JWT' }),
    ...(passphrase !== undefined && { privateKeyPass: passphrase }),
    ...(token !== undefined && { token, authenticator: 'OAUTH' }),
    warehouse: nameOf(login.warehouse),
    database: nameOf(login.database),
    schema: nameOf(login.schema ?? 'PUBLIC'),
    ...(login.role !== undefined && { role: nameOf(login.role) }),
    application: 'Sluice',
    // Its own waits are of seconds, and cannot be made shorter.
    sfRetryMaxLoginRetries: 0,
  });
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(loginError(error, url)) : resolve()));
  });
  return connection;
}

/** Names in a login are read as in SQL: one with small letters would be taken for another. */
function nameOf(name: string): string {
  return /^[A-Z_][A-Z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** With these it answers where there is no account of the name. */
const nowhere = new Set([403, 404, 513]);

function loginError(error: Error, url: string): Error {
  const { code, response } = error as { code?: number | string; response?: { statusCode?: number } };
  const text = String(code ?? '');
  if (/^39\d{4}$/.test(text)) return new SnowflakeError(error.message, text, '08001');
  const status = response?.statusCode ?? 0;
  if (nowhere.has(status)) {
    const said = `there is no account at ${new URL(url).host}, which answers with status ${status}.`;
    return new SnowflakeError(said, noAccount, '08001');
  }
  return new NoAnswer(error.message, { cause: error });
}
