import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import type { Problem } from '#base/errors.ts';
import type { PipelineDeps } from './deps.ts';
import { findConnector } from './end-config.ts';
import { isCircle, tablesOfWays } from './following.ts';
import type { StreamWay } from './stream-ways.ts';

/**
 * Why a job cannot run after its inputs: what its source reads are no tables of the project, or it would start itself. A circle
 * that cannot be known yet is met by runAfterInputs.
 */
export async function checkFollowing(
  deps: PipelineDeps,
  viewer: Viewer,
  { sourceId, ways }: { sourceId: string; ways: readonly StreamWay[] },
): Promise<Problem[]> {
  const path = ['runAfterInputs'];
  const { db } = deps.store;
  const source = await db.source.findFirst({ where: { id: sourceId, ...visible(viewer) } });
  if (!source) return [];
  if (!findConnector(deps, 'source', source.type, source.version).datastoreOf) {
    const message = `The source "${source.name}" (${source.type}) reads no tables of the project, so that nothing says when they are written.`;
    const fix = 'Leave runAfterInputs out and give a schedule; sources of type "datastore" can be followed.';
    return [{ code: 'UNSUPPORTED', path, message, fix }];
  }
  if (!(await isCircle(db, await tablesOfWays(db, viewer.projectId, ways)))) return [];
  const message =
    'What the job writes is made into what it reads, by jobs or transformations that run after their inputs: it would start itself for ever.';
  return [{ code: 'INVALID', path, message, fix: 'Let one of them run by a schedule instead.' }];
}
