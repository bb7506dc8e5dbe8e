import { Client } from 'pg';
import { AppError, messageOf } from '#base/errors.ts';

const connectTimeoutMs = 10_000;

/** The URL as it may be shown: without its password. */
export function withoutPassword(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return 'DATABASE_URL';
  const url = new URL(databaseUrl);
  url.password = '';
  for (const name of Array.from(url.searchParams.keys()))
    if (/pass|key|secret/i.test(name)) url.searchParams.delete(name);
  return url.toString();
}

/**
 * One connection of its own, whose later errors arrive as its 'error' event and never end the process. Fails with an
 * AppError that names the cause: unreachable, refused password, no such database, TLS, still starting.
 */
export async function connect(databaseUrl: string, applicationName: string): Promise<Client> {
  let client: Client | undefined;
  try {
    client = new Client({
      connectionString: databaseUrl,
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  } catch (error) {
    client?.end().catch(() => {});
    throw connectionError(databaseUrl, error);
  }
}

/** Says which of the things that stop a connection this is, and what to do about it. */
export function connectionError(databaseUrl: string, error: unknown): AppError {
  const shown = withoutPassword(databaseUrl);
  const code = (error as { code?: string }).code ?? '';
  const said = sentence(messageOf(error) || code);
  const failure = (message: string, fix: string) =>
    new AppError('BAD_USER_INPUT', message, { cause: error, fix });
  if (!URL.canParse(databaseUrl) || code === 'ERR_INVALID_URL') {
    return failure(
      'DATABASE_URL is no URL.',
      'Write it as postgresql://user:password@host:5432/database, with special characters percent-encoded.',
    );
  }
  const { hostname, port, username, pathname } = new URL(databaseUrl);
  const at = `${hostname || 'localhost'}:${port || '5432'}`;
  if (code === '28P01' || code === '28000') {
    return failure(
      `PostgreSQL at ${at} refuses the user "${decodeURIComponent(username)}" (${shown}): ${said}`,
      'Check user name and password in DATABASE_URL, and that pg_hba.conf lets this user in from here.',
    );
  }
  if (code === '3D000') {
    const database = decodeURIComponent(pathname.slice(1));
    return failure(
      `PostgreSQL at ${at} has no database "${database}" (${shown}).`,
      `Create it with: CREATE DATABASE "${database}"; or name another one in DATABASE_URL.`,
    );
  }
  if (code === '57P03') {
    return failure(
      `PostgreSQL at ${at} does not take connections yet (${shown}): ${said}`,
      'Try again in a moment.',
    );
  }
  if (code === '53300') {
    return failure(
      `PostgreSQL at ${at} has no connection left for Sluice (${shown}): ${said}`,
      'Raise max_connections, or close other clients: one process of Sluice uses up to 20.',
    );
  }
  if (/ssl|tls|certificate|self.signed/i.test(said) || code.startsWith('ERR_TLS') || code.includes('CERT')) {
    return failure(
      `The TLS connection to PostgreSQL at ${at} failed (${shown}): ${said}`,
      'Set sslmode in DATABASE_URL to what the server offers: disable, require or verify-full.',
    );
  }
  return failure(
    `PostgreSQL at ${at} cannot be reached (${shown}): ${said}`,
    'Start it, or correct host and port in DATABASE_URL; without DATABASE_URL Sluice runs its own PostgreSQL.',
  );
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
