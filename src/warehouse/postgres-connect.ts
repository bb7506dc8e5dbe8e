import pg from 'pg';
import { messageOf } from '#base/errors.ts';
import { Unreachable } from './unreachable.ts';

/** Where a PostgreSQL is, and as whom it is entered. */
export interface PostgresServer {
  host: string;
  port?: number;
  database: string;
  username: string;
  password?: string;
  ssl?: { mode?: 'disable' | 'require' | 'verify-full'; ca?: string };
}

const connectTimeoutMs = 10_000;

/**
 * A connection for which the settings, which are SQL, were made. Fails with Unreachable after 10 seconds at most,
 * and with the signal's reason when that aborts.
 */
export async function dial(
  config: PostgresServer,
  settings: string,
  signal: AbortSignal,
): Promise<pg.Client> {
  signal.throwIfAborted();
  let client: pg.Client | undefined;
  const stop = () => {
    if (client) hangUp(client);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    client = new pg.Client(optionsOf(config));
    // A connection lost while idle is noticed by the next statement; without a listener it would end the process.
    client.on('error', () => undefined);
    await client.connect();
    await client.query(settings);
    signal.throwIfAborted();
    return client;
  } catch (error) {
    if (client) hangUp(client);
    signal.throwIfAborted();
    throw new Unreachable(causeOf(config, error), error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Drops the connection at once, whatever it is doing. */
export function hangUp(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  stream.destroy();
}

function optionsOf(config: PostgresServer): pg.ClientConfig {
  return {
    host: config.host,
    port: config.port ?? 5432,
    database: config.database,
    user: config.username,
    // As a function, since pg takes an empty password for none and then looks into the environment.
    password: () => config.password ?? '',
    ssl: tlsOf(config),
    application_name: 'sluice',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function tlsOf({ host, ssl }: PostgresServer): pg.ClientConfig['ssl'] {
  const mode = ssl?.mode ?? 'disable';
  if (mode === 'disable') return false;
  if (mode === 'require') return { rejectUnauthorized: false };
  return { rejectUnauthorized: true, ...(ssl?.ca ? { ca: ssl.ca } : {}), host };
}

interface Cause {
  kind: 'CONFIG' | 'TRANSIENT';
  path: string[];
  said: string;
  fix: string;
}

function causeOf(config: PostgresServer, error: unknown): Cause {
  const code = (error as { code?: string }).code ?? '';
  return (
    ofNetwork(config, code, error) ??
    ofTls(config, code, messageOf(error)) ??
    ofServer(config, code, messageOf(error)) ?? {
      kind: 'TRANSIENT',
      path: [],
      said: `The connection to PostgreSQL at ${at(config)} failed: ${messageOf(error)}.`,
      fix: "Look into the server's log for the reason.",
    }
  );
}

const at = ({ host, port }: PostgresServer) => `${host}:${port ?? 5432}`;

function ofNetwork(config: PostgresServer, code: string, error: unknown): Cause | undefined {
  const message = messageOf(error);
  const cause = (kind: Cause['kind'], field: string, said: string, fix: string): Cause => ({
    kind,
    path: [field],
    said,
    fix,
  });
  if (code === 'ENOTFOUND') {
    return cause('CONFIG', 'host', `There is no host named "${config.host}".`, 'Check the spelling of host.');
  }
  if (code === 'EAI_AGAIN') {
    const said = `The name "${config.host}" could not be looked up: the name server does not answer.`;
    return cause(
      'TRANSIENT',
      'host',
      said,
      'Check the spelling of host and the name server of this machine.',
    );
  }
  if (
    code === 'ECONNREFUSED' ||
    (error as AggregateError).errors?.some((each) => each.code === 'ECONNREFUSED')
  ) {
    const said = `Nothing listens on port ${config.port ?? 5432} of ${config.host}: the connection was refused.`;
    return cause(
      'TRANSIENT',
      'port',
      said,
      'Check port, and that PostgreSQL runs and listens on that address.',
    );
  }
  if (
    /^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code) ||
    /timeout expired|connection timed out/i.test(message)
  ) {
    const said = `${at(config)} did not answer within ${connectTimeoutMs / 1000} seconds: it hung while connecting.`;
    return cause('TRANSIENT', 'host', said, 'Check host and port, and that no firewall lies between.');
  }
  const isForeign =
    code === 'EPROTO' || /terminated unexpectedly|^Unknown (message|authenticationOk)/i.test(message);
  if (code === 'ECONNRESET' || isForeign) {
    const said = `${at(config)} took the connection and dropped it: what listens there may not be PostgreSQL.`;
    return cause('TRANSIENT', 'port', said, 'Check port; behind a proxy, look into its log.');
  }
  return undefined;
}

function ofTls(config: PostgresServer, code: string, message: string): Cause | undefined {
  const cause = (field: string, said: string, fix: string): Cause => ({
    kind: 'CONFIG',
    path: ['ssl', field],
    said,
    fix,
  });
  if (/server does not support SSL/i.test(message)) {
    return cause(
      'mode',
      `The server at ${at(config)} offers no TLS.`,
      'Set ssl.mode to disable, or turn TLS on in the server.',
    );
  }
  if (code === '28000' && /no encryption|SSL off/i.test(message)) {
    const said = `The server at ${at(config)} takes this user only over TLS.`;
    return cause('mode', said, 'Set ssl.mode to require or verify-full.');
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const said = `The certificate of ${at(config)} is not made out for "${config.host}".`;
    return cause('mode', said, 'Use the host name that the certificate names, or set ssl.mode to require.');
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ISSUER/.test(code)) {
    const said = `The certificate of ${at(config)} could not be verified: ${message}.`;
    return cause('ca', said, 'Give the PEM of its authority in ssl.ca, or set ssl.mode to require.');
  }
  if (/^ERR_(OSSL|SSL|TLS)|PEM/.test(code) || /PEM/.test(message)) {
    return cause('ca', `ssl.ca cannot be used: ${message}.`, 'Give the certificate authority as PEM text.');
  }
  return undefined;
}

function ofServer(config: PostgresServer, code: string, message: string): Cause | undefined {
  const { username, database } = config;
  const cause = (kind: Cause['kind'], path: string[], said: string, fix: string): Cause => ({
    kind,
    path,
    said,
    fix,
  });
  if (code === '28P01') {
    const said = `The server at ${at(config)} refuses the password of "${username}".`;
    return cause('CONFIG', ['password'], said, 'Check username and password.');
  }
  if (code === '28000') {
    const said = `The server at ${at(config)} does not let "${username}" in: ${message}.`;
    return cause('CONFIG', ['username'], said, 'Check username, and that pg_hba.conf lets it in from here.');
  }
  if (code === '3D000' || code === '42501') {
    const said = `The server at ${at(config)} refuses the database "${database}": ${message}.`;
    return cause('CONFIG', ['database'], said, 'Check database, and that the user has CONNECT on it.');
  }
  if (/^(53300|57P03|57P01)$/.test(code)) {
    const said = `The server at ${at(config)} takes no connection now: ${message}.`;
    return cause(
      'TRANSIENT',
      [],
      said,
      'Try again in a moment; with too many connections, close some or raise max_connections.',
    );
  }
  return undefined;
}
