import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { startServerChild } from '../server-child.ts';

export interface ServerOptions {
  /** The one database that there is. */
  database: string;
}

/** What the server was told by its clients. */
export interface Told {
  logins: number;
  renewals: number;
  ended: number;
  aborted: number;
  /** Statements that run now. */
  running: number;
  /** How often a result was asked for and was not there yet. */
  waits: number;
  /** Files that were put into the stage, and those that lie there. */
  uploads: number;
  stalled: number;
  staged: string[];
  texts: string[];
  tags: string[];
  timeouts: number[];
}

/** What a test makes of the server: it answers each with what it was told so far. */
export type Command =
  | { expire: 'expired' | 'gone' | 'unknown' }
  | {
      trouble: {
        chunks?: number;
        status?: number;
        statusCount?: number;
        expiredUrls?: number;
        uploads?: number;
        /** So many requests are told that their session is gone. */
        lost?: number;
        /** So long each statement is on its way before it is known. */
        lateMs?: number;
        /** The account gives no more rows of a result, to whoever says nothing else. */
        rowsMax?: number;
        stalledUploads?: number;
        keptFiles?: number;
      };
    }
  /** Refuses the next statement that has these words in it; or spoils the files of the stage before it, or ends all sessions. */
  | { before: { words: string; how: 'refuse' | 'deny' | 'spoil' | 'much' | 'end' } }
  /** While it is on, every statement is one that still runs. */
  | { hold: boolean }
  /** Cancels all that runs, as an administrator would. */
  | { cancel: true }
  /** Makes the files of the stage so many milliseconds older. */
  | { age: number }
  | { tell: true };

/** A server that speaks as Snowflake does, in a process of its own, and what lets one in. */
export interface SnowflakeServer extends AsyncDisposable {
  url: string;
  login: {
    url: string;
    account: string;
    username: string;
    warehouse: string;
    database: string;
  };
  /** Where it listens, which a config names only where emulators are allowed there. */
  host: string;
  /** The config of a datastore on it. */
  config: Omit<SnowflakeServer['login'], 'url'> & { host: string; password: string };
  password: string;
  token: string;
  accessToken: string;
  /** Encrypted with `passphrase`. */
  privateKey: string;
  passphrase: string;
  order(command: Command): Promise<Told>;
}

/** Starts the server with an empty database. See README.md for what of Snowflake it has. */
export async function startSnowflakeServer(options: ServerOptions): Promise<SnowflakeServer> {
  const passphrase = 'the passphrase of the key';
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase },
  });
  const account = {
    name: 'ORG-TEST',
    user: 'SLUICE',
    password: 'the password of a test',
    publicKey: keys.publicKey,
    token: 'an OAuth token of a test',
    accessToken: 'a programmatic access token of a test',
  };
  const file = join(import.meta.dirname, 'server-process.ts');
  const child = await startServerChild<Command, Told>(file, { ...options, account });
  const { host } = child;
  const url = `http://${host}`;
  const names = { account: 'org-test', username: 'sluice', warehouse: 'WH', database: options.database };
  return {
    ...child,
    url,
    login: { url, ...names },
    config: { host, ...names, password: account.password },
    password: account.password,
    token: account.token,
    accessToken: account.accessToken,
    privateKey: keys.privateKey,
    passphrase,
  };
}
