import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { AccountDeps } from './deps.ts';
import { startSession, type SignedIn } from './sessions.ts';
import { hashOf, newToken } from './tokens.ts';

const linkMinutes = 10;

/** Makes the token of a link that signs the member in once, within ten minutes. */
export async function createSignInLink(
  deps: AccountDeps,
  who: { memberId: string; projectId: string },
): Promise<string> {
  const token = newToken();
  const now = deps.now();
  await deps.store.db.signInLink.deleteMany({
    where: { memberId: who.memberId, OR: [{ expiresAt: { lte: now } }, { usedAt: { not: null } }] },
  });
  await deps.store.db.signInLink.create({
    data: {
      id: newId(),
      tokenHash: hashOf(token),
      memberId: who.memberId,
      projectId: who.projectId,
      expiresAt: new Date(now.getTime() + linkMinutes * 60_000),
    },
  });
  return token;
}

/** Signs in by a link's token: of several who use it at once one gets in. Fails with UNAUTHENTICATED. */
export async function useSignInLink(deps: AccountDeps, token: string): Promise<SignedIn> {
  const now = deps.now();
  const tokenHash = hashOf(token);
  return await deps.store.db.$transaction(async (tx) => {
    const { count } = await tx.signInLink.updateMany({
      where: { tokenHash, usedAt: null, expiresAt: { gt: now } },
      data: { usedAt: now },
    });
    if (count !== 1) {
      throw new AppError(
        'UNAUTHENTICATED',
        `This sign-in link is over ${linkMinutes} minutes old, or was used.`,
        {
          fix: 'Log in with your password, or ask for a new link.',
        },
      );
    }
    const link = await tx.signInLink.findUniqueOrThrow({ where: { tokenHash }, include: { member: true } });
    return await startSession(tx, link.member, link.projectId, now);
  });
}
