import { checkName, nameTaken } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { sealConfig } from '#accounts/sealed-config.ts';
import type { PipelineDeps } from './deps.ts';
import { findConnector, type End, type EndKind } from './end-config.ts';

/*
 * A source and a destination are the two ends of a job: a connector with its config, written by the same rules.
 */

export interface CreateEndInput {
  name: string;
  type: string;
  /** The connector's newest without one. */
  version?: string | null | undefined;
  config: unknown;
}

export interface UpdateEndInput {
  id: string;
  name?: string | null | undefined;
  version?: string | null | undefined;
  /** Takes the place of the whole config but for secrets left out, which stay; null clears one. */
  config?: unknown;
  expectedRevision?: number | null | undefined;
}

/** The statements on either table that the rules need. */
interface EndTable {
  findFirst(ask: { where: { id: string; projectId: string; deletedAt: null } }): PromiseLike<End | null>;
  create(ask: { data: NewEnd }): PromiseLike<End>;
  update(ask: { where: { id: string }; data: Partial<NewEnd> & { deletedAt?: Date } }): PromiseLike<End>;
}
type NewEnd = Omit<End, 'config' | 'secrets' | 'deletedAt'> & {
  config: Prisma.InputJsonValue;
  secrets: Prisma.InputJsonValue;
};

/** Inserts it in `tx`. Fails with every problem of name and config at once. */
export async function createEnd(
  deps: PipelineDeps,
  viewer: Viewer,
  kind: EndKind,
  tx: Tx,
  input: CreateEndInput,
): Promise<{ id: string }> {
  const id = newId();
  const { name, problems } = checkName(input.name, kind);
  const connector = findConnector(deps, kind, input.type, input.version, problems);
  const sealed = sealConfig(deps, connector.spec, {
    projectId: viewer.projectId,
    row: id,
    config: input.config,
    secrets: {},
  });
  problems.push(...sealed.problems);
  if (problems.length > 0) throw new InputError(problems);

  await nameTaken(tx, kind, viewer, { id, name });
  const now = deps.now();
  return tableOf(tx, kind).create({
    data: {
      id,
      projectId: viewer.projectId,
      name,
      type: connector.type,
      version: connector.version,
      config: sealed.config,
      secrets: sealed.secrets,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      createdById: viewer.memberId,
      updatedById: viewer.memberId,
    },
  });
}

/** Changes what is named, under the next revision. Fails with NOT_FOUND, CONFLICT, or every problem at once. */
export async function updateEnd(
  deps: PipelineDeps,
  viewer: Viewer,
  kind: EndKind,
  tx: Tx,
  input: UpdateEndInput,
): Promise<{ id: string }> {
  const row = await lockEnd(tx, viewer, kind, input.id);
  checkRevision(row, input.expectedRevision, kind);
  const problems: Problem[] = [];
  const changes: Partial<NewEnd> = {};
  if (input.name != null) {
    const checked = checkName(input.name, kind);
    problems.push(...checked.problems);
    changes.name = checked.name;
  }
  if (input.version != null || input.config !== undefined) {
    const connector = findConnector(deps, kind, row.type, input.version ?? row.version, problems);
    changes.version = connector.version;
    const sealed = sealConfig(deps, connector.spec, {
      projectId: viewer.projectId,
      row: row.id,
      config: input.config === undefined ? row.config : input.config,
      secrets: row.secrets,
    });
    problems.push(...sealed.problems);
    changes.config = sealed.config;
    changes.secrets = sealed.secrets;
  }
  if (problems.length > 0) throw new InputError(problems);
  if (changes.name !== undefined) await nameTaken(tx, kind, viewer, { id: row.id, name: changes.name });
  return tableOf(tx, kind).update({
    where: { id: row.id },
    data: {
      ...changes,
      revision: row.revision + 1,
      updatedAt: deps.now(),
      updatedById: viewer.memberId,
    },
  });
}

/** Deletes it softly, so that its name is free again. Fails with NOT_FOUND, or IN_USE naming the jobs. */
export async function deleteEnd(
  deps: PipelineDeps,
  viewer: Viewer,
  kind: EndKind,
  tx: Tx,
  input: { id: string },
): Promise<{ id: string }> {
  const row = await lockEnd(tx, viewer, kind, input.id);
  const jobs = await tx.job.findMany({
    where: { ...visible(viewer), ...(kind === 'source' ? { sourceId: row.id } : { destinationId: row.id }) },
    select: { name: true },
    orderBy: { createdAt: 'asc' },
    take: 11,
  });
  if (jobs.length > 0) {
    const names = jobs.slice(0, 10).map((job) => `"${job.name}"`);
    const more = jobs.length > 10 ? ' and others' : '';
    throw inputError(
      'IN_USE',
      ['id'],
      `The ${kind} "${row.name}" is used by ${jobs.length === 1 ? 'the job' : 'the jobs'} ${names.join(', ')}${more}.`,
      `Delete them first, or give them another ${kind}.`,
    );
  }
  const now = deps.now();
  return tableOf(tx, kind).update({
    where: { id: row.id },
    data: { deletedAt: now, updatedAt: now, updatedById: viewer.memberId },
  });
}

/** The row, locked until `tx` ends. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
export async function lockEnd(
  tx: Tx,
  viewer: Viewer,
  kind: EndKind,
  id: string,
  path: readonly string[] = ['id'],
): Promise<End> {
  const table = Prisma.raw(kind);
  await tx.$queryRaw`
    SELECT 1 FROM ${table} WHERE id = ${id}::uuid AND project_id = ${viewer.projectId}::uuid FOR NO KEY UPDATE`;
  const row = await tableOf(tx, kind).findFirst({ where: { id, ...visible(viewer) } });
  if (!row) throw inputError('NOT_FOUND', path, `There is no such ${kind}.`);
  return row;
}

function tableOf(tx: Tx, kind: EndKind): EndTable {
  return kind === 'source' ? tx.source : tx.destination;
}
