import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { inputError } from '#base/errors.ts';
import { destinationConnector, sourceConnector } from '#connectors/registry.ts';
import type { Datastore } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import type { CatalogDeps } from './deps.ts';
import { findLocked } from './lock-datastores.ts';
import { announceWritten } from './written.ts';

const namedMax = 10;

/**
 * Deletes a datastore softly: its tables are in no list any more, its name is free, and its file stays where it is. Fails with
 * NOT_FOUND, NOT_ALLOWED for the default, or IN_USE naming what uses it.
 */
export async function deleteDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  const { db } = deps.store;
  const { id } = await db.$transaction(async (tx) => {
    const row = await findLocked(tx, viewer, input.id);
    if (row.isDefault) {
      const message = `"${row.name}" is the default, and there must be one.`;
      throw inputError('NOT_ALLOWED', ['id'], message, 'Make another datastore the default first.');
    }
    const users = await usersOf(tx, viewer, row);
    if (users.length > 0) {
      const named = users.slice(0, namedMax).join(', ');
      const more = users.length > namedMax ? ' and others' : '';
      const message = `The datastore "${row.name}" is used by ${named}${more}.`;
      throw inputError('IN_USE', ['id'], message, 'Delete them first, or let them use another datastore.');
    }
    const at = deps.now();
    await tx.catalogTable.updateMany({ where: { datastoreId: row.id, goneAt: null }, data: { goneAt: at } });
    return tx.datastore.update({
      where: { id: row.id },
      data: { deletedAt: at, updatedAt: at, updatedById: viewer.memberId },
    });
  });
  await announceWritten(db, deps.datastores.cache, [id]);
  await deps.datastores.forget(id);
  return { id };
}

/** What uses a datastore, each in words. */
async function usersOf(tx: Tx, viewer: Viewer, datastore: Datastore): Promise<string[]> {
  const { projectId } = viewer;
  const { id, name } = datastore;
  const mappings = await tx.entityMapping.findMany({
    where: {
      projectId,
      OR: (['table', 'aliasTable', 'servedFrom', 'aliasServedFrom'] as const).map((table) => ({
        [table]: { datastoreId: id },
      })),
    },
    select: { kind: true },
    orderBy: { kind: 'asc' },
  });
  const ends = {
    where: visible(viewer),
    include: { jobs: { where: visible(viewer), select: { id: true, name: true } } },
    orderBy: { createdAt: 'asc' },
  } as const;
  const sources = await tx.source.findMany(ends);
  const reading = sources.filter(
    ({ type, version, config }) => sourceConnector(type, version)?.datastoreOf?.(config)?.name === name,
  );
  const destinations = await tx.destination.findMany(ends);
  const writing = destinations.filter(
    ({ type, version, config }) => destinationConnector(type, version)?.datastoreOf(config)?.name === name,
  );
  const transformations = await tx.transformation.findMany({
    where: { ...visible(viewer), datastoreId: id },
    select: { name: true },
    orderBy: { createdAt: 'asc' },
  });
  // A job may read and write it.
  const jobs = new Map([...reading, ...writing].flatMap((end) => end.jobs.map((job) => [job.id, job.name])));
  // Metrics over entities use what the mappings name.
  const metrics = await tx.$queryRaw<{ name: string }[]>`
    SELECT name FROM metric
    WHERE project_id = ${projectId}::uuid AND deleted_at IS NULL
      AND starts_with(definition #>> '{simple,table}', ${`${name}.`})
    ORDER BY created_at`;
  const endpoints = await tx.$queryRaw<{ name: string; version: number }[]>`
    SELECT name, version FROM endpoint
    WHERE project_id = ${projectId}::uuid AND deleted_at IS NULL AND served #>> '{datastore,id}' = ${id}
    ORDER BY created_at`;
  return [
    ...mappings.map(({ kind }) => `the mapping of ${kind}`),
    ...reading.map((source) => `the source "${source.name}"`),
    ...writing.map((destination) => `the destination "${destination.name}"`),
    ...[...jobs.values()].map((job) => `the job "${job}"`),
    ...transformations.map((transformation) => `the transformation "${transformation.name}"`),
    ...metrics.map((metric) => `the metric "${metric.name}"`),
    ...endpoints.map((endpoint) => `version ${endpoint.version} of the endpoint "${endpoint.name}"`),
  ];
}
