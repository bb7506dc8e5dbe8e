import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { ApiKey } from '#generated/prisma/client.ts';
import { Scope } from '#generated/prisma/enums.ts';
import type { AccountDeps } from './deps.ts';
import { demand } from './permissions.ts';
import { hashOf, newApiKey } from './tokens.ts';
import { visibleApiKeys } from './visible.ts';
import type { Viewer } from './viewer.ts';

export interface CreateApiKeyInput {
  name: string;
  scopes: readonly Scope[];
  expiresAt?: Date | null | undefined;
}

const nameLengthMax = 100;

/**
 * Makes a key to the viewer's project; `secret` is shown this once. Only an owner or admin can, never another key, so
 * that no key can make one that may more than itself. Fails with FORBIDDEN, or with every problem of the input at once.
 */
export async function createApiKey(
  deps: AccountDeps,
  viewer: Viewer,
  input: CreateApiKeyInput,
): Promise<{ apiKey: ApiKey; secret: string }> {
  demand(viewer, 'ADMIN');
  const now = deps.now();
  const { name, scopes, expiresAt } = parseCreateApiKey(input, viewer, now);
  const { prefix, secret } = newApiKey();
  const apiKey = await deps.store.db.apiKey.create({
    data: {
      id: newId(),
      projectId: viewer.projectId,
      accountId: viewer.accountId,
      name,
      prefix,
      secretHash: hashOf(secret),
      scopes,
      createdAt: now,
      createdById: viewer.memberId,
      expiresAt,
    },
  });
  deps.log.info('api key created', { apiKeyId: apiKey.id, scopes, memberId: viewer.memberId });
  return { apiKey, secret };
}

/** Ends a key's access at once and for good. Fails with FORBIDDEN, or NOT_FOUND for one that is not there. */
export async function revokeApiKey(
  deps: AccountDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  demand(viewer, 'ADMIN');
  const { count } = await deps.store.db.apiKey.updateMany({
    where: { ...visibleApiKeys(viewer), id: input.id },
    data: { revokedAt: deps.now() },
  });
  if (count === 0)
    throw inputError('NOT_FOUND', ['id'], 'There is no API key of that id, or it was revoked already.');
  deps.log.info('api key revoked', { apiKeyId: input.id, memberId: viewer.memberId });
  return { id: input.id };
}

function parseCreateApiKey(input: CreateApiKeyInput, viewer: Viewer, now: Date) {
  const name = input.name.trim();
  const scopes = Object.values(Scope).filter((scope) => input.scopes.includes(scope));
  const expiresAt = input.expiresAt ?? null;
  const problems: Problem[] = [];
  if (name === '')
    problems.push({ code: 'REQUIRED', path: ['name'], message: 'The name of the key is missing.' });
  if (name.length > nameLengthMax) {
    const message = `The name of the key has ${name.length} characters; at most ${nameLengthMax} are allowed.`;
    problems.push({ code: 'INVALID', path: ['name'], message });
  }
  if (scopes.length === 0) {
    const message = 'A key without a scope could do nothing.';
    const fix = `Give at least one of ${viewer.scopes.join(', ')}.`;
    problems.push({ code: 'REQUIRED', path: ['scopes'], message, fix });
  }
  if (expiresAt !== null && !(expiresAt.getTime() > now.getTime())) {
    const message = 'The key would have expired before it was made.';
    const fix = `Give a time after ${now.toISOString()}, or none for a key that does not expire.`;
    problems.push({ code: 'INVALID', path: ['expiresAt'], message, fix });
  }
  if (problems.length > 0) throw new InputError(problems);
  return { name, scopes, expiresAt };
}
