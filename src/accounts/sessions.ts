import { newId } from '#base/id.ts';
import type { Tx } from '#store/open-store.ts';
import { scopesOf } from './permissions.ts';
import { hashOf, newToken } from './tokens.ts';
import type { Role } from '#generated/prisma/enums.ts';
import type { Viewer } from './viewer.ts';

const sessionDays = 30;

/** When a session that is used now ends, if it is not used again. */
export function sessionExpiry(now: Date): Date {
  return new Date(now.getTime() + sessionDays * 24 * 60 * 60_000);
}

/** Someone signed in: the token is shown this once. */
export interface SignedIn {
  viewer: Viewer;
  token: string;
}

/** Starts a session of a member in a project, and drops the member's expired ones. */
export async function startSession(
  tx: Tx,
  member: { id: string; accountId: string; role: Role },
  projectId: string,
  now: Date,
): Promise<SignedIn> {
  const token = newToken();
  const sessionId = newId();
  await tx.session.deleteMany({ where: { memberId: member.id, expiresAt: { lte: now } } });
  await tx.session.create({
    data: {
      id: sessionId,
      tokenHash: hashOf(token),
      memberId: member.id,
      projectId,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: sessionExpiry(now),
    },
  });
  const viewer: Viewer = {
    accountId: member.accountId,
    projectId,
    memberId: member.id,
    apiKeyId: null,
    role: member.role,
    scopes: scopesOf(member.role),
    sessionId,
  };
  return { viewer, token };
}
