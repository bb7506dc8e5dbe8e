import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import type { BigQueryConfig } from '#warehouse/bigquery-config.ts';
import { startServerChild } from '../server-child.ts';

/** What the server was told by its clients. */
export interface Told {
  /** Tokens that it made. */
  tokens: number;
  /** Jobs that were asked to be canceled, and were running. */
  canceled: number;
  /** Jobs that run now. */
  running: number;
  /** Queries that were run. */
  queries: {
    query: string;
    labels: Record<string, string>;
    timeoutMs: string | undefined;
    maximumBytesBilled: string | undefined;
  }[];
  /** What dry runs were given as parameters. */
  dryRuns: unknown[][];
  /** Files that were sent whole. */
  loads: number;
}

/** What a test makes of the server: it answers each with what it was told so far. */
export type Command =
  | { revoke: true }
  /** The next so many answers are errors with that reason, but for those to who cancels. */
  | { trouble: { status: number; reason: string; message?: string; count: number; path?: string } }
  /** The next so many jobs, of those with the words in their text, fail with that reason, and every answer about one of them has that status. */
  | { failing: { status: number; reason: string; message?: string; words?: string; count: number } }
  /** So many answers break off in their middle, every second one. */
  | { broken: number }
  /** Bytes that every query is said to read. */
  | { bytes: number }
  /** The next so many pieces of files break off in their middle. */
  | { uploads: number }
  | { tell: true };

/** A server that speaks as BigQuery does, in a process of its own, and what lets one in. */
export interface BigQueryServer extends AsyncDisposable {
  /** host:port, for the emulator hosts of a reach. */
  host: string;
  config: BigQueryConfig & { host: string };
  order(command: Command): Promise<Told>;
}

/** Starts the server with an empty project. See README.md for what of BigQuery it has. */
export async function startBigQueryServer(projectId = 'sluice-suite'): Promise<BigQueryServer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const clientEmail = `sluice@${projectId}.iam.gserviceaccount.com`;
  const account = { clientEmail, publicKey };
  const child = await startServerChild<Command, Told>(join(import.meta.dirname, 'server-process.ts'), {
    projectId,
    account,
  });
  const credentials = JSON.stringify({
    type: 'service_account',
    project_id: projectId,
    private_key: privateKey,
    client_email: clientEmail,
    token_uri: 'https://oauth2.googleapis.com/token',
  });
  return { ...child, config: { projectId, credentials, host: child.host } };
}
