import type { Role, Scope } from '#generated/prisma/enums.ts';
import { runPrepared } from '#store/prepared.ts';
import type { AccountDeps } from './deps.ts';
import { scopesOf } from './permissions.ts';
import { sessionExpiry } from './sessions.ts';
import { hashOf, isApiKey, isSameHash, prefixOfApiKey } from './tokens.ts';
import type { Viewer } from './viewer.ts';

/** lastUsedAt and a session's expiry move at most this often, so that most requests only read. */
const touchMs = 60_000;
/** Longer than any token: whatever is longer is not hashed. */
const tokenLengthMax = 200;

/**
 * Whoever a session token or an API key stands for, by one statement; null when it is unknown, expired, revoked or its
 * member is gone. A role that was changed counts from the next call on.
 */
export async function viewerOfToken(deps: AccountDeps, token: string): Promise<Viewer | null> {
  if (token === '' || token.length > tokenLengthMax) return null;
  return isApiKey(token) ? await viewerOfApiKey(deps, token) : await viewerOfSession(deps, token);
}

/** A project of which nothing was ever changed has no row yet. */
const revisionOf = `coalesce((
  SELECT revision FROM project_revision known WHERE known.project_id = found.project_id
), 0)::text`;

interface SessionRow {
  id: string;
  memberId: string;
  projectId: string;
  accountId: string;
  role: Role;
  revision: string;
}

const sessionStatement = {
  name: 'viewer_of_session',
  text: `WITH found AS (
      SELECT s.id, s.member_id, s.project_id, s.last_used_at, m.account_id, m.role::text AS role
      FROM session s JOIN member m ON m.id = s.member_id
      WHERE s.token_hash = $1 AND s.expires_at > $2::timestamptz
    ), touched AS (
      UPDATE session SET last_used_at = $2::timestamptz, expires_at = $3::timestamptz
      WHERE id = (SELECT id FROM found WHERE last_used_at < $4::timestamptz)
    )
    SELECT id, member_id AS "memberId", project_id AS "projectId", account_id AS "accountId", role, ${revisionOf} AS revision
    FROM found`,
};

/** Finding a row by the SHA-256 of what was sent tells a guesser nothing of the tokens kept, whatever time it takes. */
async function viewerOfSession(deps: AccountDeps, token: string): Promise<Viewer | null> {
  const now = deps.now();
  const touchedBefore = new Date(now.getTime() - touchMs);
  const values = [hashOf(token), now, sessionExpiry(now), touchedBefore];
  const rows = await runPrepared<SessionRow>(deps.store, sessionStatement, values);
  const row = rows[0];
  if (row === undefined) return null;
  return {
    accountId: row.accountId,
    projectId: row.projectId,
    memberId: row.memberId,
    apiKeyId: null,
    role: row.role,
    scopes: scopesOf(row.role),
    sessionId: row.id,
    revision: row.revision,
  };
}

interface ApiKeyRow {
  id: string;
  projectId: string;
  accountId: string;
  scopes: Scope[];
  secretHash: Uint8Array;
  revision: string;
}

const apiKeyStatement = {
  name: 'viewer_of_api_key',
  text: `WITH found AS (
      SELECT id, project_id, account_id, scopes::text[] AS scopes, secret_hash, last_used_at
      FROM api_key
      WHERE prefix = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2::timestamptz)
    ), touched AS (
      UPDATE api_key SET last_used_at = $2::timestamptz
      WHERE id = (
        SELECT id FROM found
        WHERE secret_hash = $3 AND (last_used_at IS NULL OR last_used_at < $4::timestamptz)
      )
    )
    SELECT id, project_id AS "projectId", account_id AS "accountId", scopes, secret_hash AS "secretHash",
      ${revisionOf} AS revision
    FROM found`,
};

async function viewerOfApiKey(deps: AccountDeps, token: string): Promise<Viewer | null> {
  const prefix = prefixOfApiKey(token);
  if (prefix === null) return null;
  const now = deps.now();
  const hash = hashOf(token);
  const values = [prefix, now, hash, new Date(now.getTime() - touchMs)];
  const rows = await runPrepared<ApiKeyRow>(deps.store, apiKeyStatement, values);
  const row = rows[0];
  if (row === undefined || !isSameHash(row.secretHash, hash)) return null;
  return {
    accountId: row.accountId,
    projectId: row.projectId,
    memberId: null,
    apiKeyId: row.id,
    role: null,
    scopes: row.scopes,
    sessionId: null,
    revision: row.revision,
  };
}
