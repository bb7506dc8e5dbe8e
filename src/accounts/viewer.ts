import type { Role, Scope } from '#generated/prisma/enums.ts';

/** Whoever asks: a member by session, or a program by API key. Everything it sees lies in one project. */
export interface Viewer {
  accountId: string;
  projectId: string;
  /** Null for an API key. */
  memberId: string | null;
  /** Null for a member's session. */
  apiKeyId: string | null;
  /** Null for an API key, which has scopes only. */
  role: Role | null;
  scopes: readonly Scope[];
  /** The session behind it, so that logOut can end it. */
  sessionId: string | null;
  /**
   * What the project's metrics and mappings were when the viewer was looked up: equal for as long as nothing of them changes.
   * Left out where nobody looked.
   */
  revision?: string;
}
