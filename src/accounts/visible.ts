import type { Viewer } from './viewer.ts';

/*
 * The one visibility filter. Every read of a project's rows spreads one of these into its `where`, so that another
 * project's row and a deleted one are as unknown as an id that never was.
 */

/** For models that are deleted softly: the viewer's project, and not deleted. */
export function visible(viewer: Viewer): { projectId: string; deletedAt: null } {
  return { projectId: viewer.projectId, deletedAt: null };
}

/** For models of a project without soft deletion: tasks, log lines. */
export function inProject(viewer: Viewer): { projectId: string } {
  return { projectId: viewer.projectId };
}

/** For tables of the catalog: those that their datastore still has. */
export function presentTables(viewer: Viewer): { projectId: string; goneAt: null } {
  return { projectId: viewer.projectId, goneAt: null };
}

/** For members and projects, which belong to the account. */
export function inAccount(viewer: Viewer): { accountId: string } {
  return { accountId: viewer.accountId };
}

/** For API keys: those of the project that are not revoked; a program sees its own key only. */
export function visibleApiKeys(viewer: Viewer): { projectId: string; revokedAt: null; id?: string } {
  const ofProject = { projectId: viewer.projectId, revokedAt: null };
  return viewer.apiKeyId === null ? ofProject : { ...ofProject, id: viewer.apiKeyId };
}
