import type { DBSQLClient } from '@databricks/sql';
import { NoAnswer, NotLetIn } from './databricks-errors.ts';
import { type DatabricksLogin, SignIn } from './databricks-sign-in.ts';

/** The calls of the service that the client speaks. */
export type Driver = Awaited<ReturnType<DBSQLClient['getDriver']>>;

/** The client, once it is loaded. */
export interface Connected {
  driver: Driver;
  signIn: SignIn;
}

/** It would log statements. */
const silent = { log: () => undefined };

/** Nobody waits longer for one answer: a statement that takes long is asked for again and again. */
const socketTimeoutMs = 120_000;

/**
 * Loads Databricks' own client and gives its Thrift calls, signed in. Nothing is sent yet. It neither repeats calls, which
 * whoever calls does within a deadline of its own, nor tells Databricks what it measures.
 */
export async function connect(login: DatabricksLogin): Promise<Connected> {
  const { DBSQLClient: Client } = await import('@databricks/sql');
  const client = new Client({ logger: silent });
  const { hostname, port, protocol } = new URL(login.url);
  if (protocol === 'http:') speakPlainly(client);
  const signIn = new SignIn(login);
  await client.connect({
    host: hostname,
    port: port === '' ? 443 : Number(port),
    path: `/sql/1.0/warehouses/${login.warehouseId}`,
    authType: 'custom',
    provider: { authenticate: async () => ({ authorization: `Bearer ${await signIn.token()}` }) },
    userAgentEntry: 'Sluice',
    socketTimeout: socketTimeoutMs,
    retryMaxAttempts: 1,
    telemetryEnabled: false,
  });
  return { driver: await client.getDriver(), signIn };
}

/** The client knows TLS alone, and emulators do without it. */
function speakPlainly(client: DBSQLClient): void {
  const inner = client as unknown as { getConnectionOptions(options: object): object };
  const own = inner.getConnectionOptions.bind(client);
  inner.getConnectionOptions = (options) => ({ ...own(options), https: false });
}

/** What Databricks answered with a status of HTTP in place of an answer. */
export interface Turned {
  status: number;
  /** How long it asks to be left alone. */
  retryAfterMs: number | null;
  said: string;
}

interface HttpFailure {
  statusCode?: number;
  response?: { headers: { get(name: string): string | null } };
}

/** The status of HTTP that a call of the client failed with; null for any other failure. */
export function turnedAway(error: unknown): Turned | null {
  const { statusCode, response } = error as HttpFailure;
  if (typeof statusCode !== 'number') return null;
  const header = (name: string) => response?.headers.get(name) ?? null;
  const said =
    header('x-thriftserver-error-message') ??
    header('x-databricks-error-or-redirect-message') ??
    header('x-databricks-reason-phrase') ??
    `it answers with status ${statusCode}`;
  const seconds = Number(header('retry-after') ?? Number.NaN);
  return { status: statusCode, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : null, said };
}

/** What a call failed with, as the rest of the engine knows it. */
export function callError(error: unknown): Error {
  if (error instanceof NotLetIn || error instanceof NoAnswer) return error;
  const turned = turnedAway(error);
  if (turned === null) {
    return new NoAnswer(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const isRefused = [401, 403, 404].includes(turned.status);
  return isRefused
    ? new NotLetIn(turned.status, turned.said, { cause: error })
    : new NoAnswer(turned.said, { cause: error });
}
