import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSignInLink, useSignInLink } from '#accounts/sign-in-link.ts';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import type { App } from '#app.ts';
import { AppError } from '#base/errors.ts';
import { openClient } from '#cli/client.ts';
import { signUp } from './documents.ts';

const username = 'demo';

/** Who the demo is, and its token. */
export interface DemoMember {
  token: string;
  memberId: string;
  projectId: string;
}

/**
 * Signs the demo's member in, and up the first time, and leaves the token in the home for `sluice sync` and `watch`.
 * Fails with AppError in a home that has somebody else's account.
 */
export async function signInDemo(app: App, url: string): Promise<DemoMember> {
  const path = join(app.config.home, 'token');
  const token = (await keptToken(app, path)) ?? (await linkedToken(app)) ?? (await newToken(url));
  const viewer = await viewerOfToken(app.accounts, token);
  if (viewer === null || viewer.memberId === null) throw new Error('the token of the demo is worth nothing');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${token}\n`, { mode: 0o600 });
  await rename(draft, path);
  return { token, memberId: viewer.memberId, projectId: viewer.projectId };
}

/** The token of the last run, while it lasts. */
async function keptToken(app: App, path: string): Promise<string | null> {
  const token = await readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  const viewer = await viewerOfToken(app.accounts, token);
  if (viewer === null || viewer.memberId === null) return null;
  const member = await app.store.db.member.findUnique({
    where: { id: viewer.memberId },
    select: { username: true },
  });
  return member?.username === username ? token : null;
}

/** Nobody knows the member's password, not even the demo: it lets itself in by a link. */
async function linkedToken(app: App): Promise<string | null> {
  const member = await app.store.db.member.findUnique({
    where: { username },
    select: { id: true, account: { select: { projects: { select: { id: true }, take: 1 } } } },
  });
  const projectId = member?.account.projects[0]?.id;
  if (member === null || projectId === undefined) return null;
  const link = await createSignInLink(app.accounts, { memberId: member.id, projectId });
  return (await useSignInLink(app.accounts, link)).token;
}

async function newToken(url: string): Promise<string> {
  await using client = openClient({ url, token: undefined });
  const password = randomBytes(24).toString('base64url');
  const input = { username, email: 'demo@example.com', password, accountName: 'Demo' };
  const { signUp: payload } = await client.ask(signUp, { input });
  if (payload.token !== null) return payload.token;
  const [problem] = payload.userErrors;
  throw new AppError(
    'BAD_USER_INPUT',
    `The demo cannot sign up: ${problem?.message ?? 'nothing says why.'}`,
    {
      fix: "Set SLUICE_HOME to a folder of the demo's own, or leave it and DATABASE_URL out.",
    },
  );
}
