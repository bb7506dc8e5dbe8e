import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import type { Problem } from '#base/errors.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import type { Destination } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import type { PipelineDeps } from './deps.ts';
import { storedSelections } from './stream-state.ts';

type Connectors = Pick<PipelineDeps, 'connectors'>;
type Writing = Pick<Destination, 'type' | 'version' | 'config'>;

/** A table of a datastore. */
export interface TableOfDatastore {
  datastore: { name: string; isDefault: boolean };
  /** Names that differ in case alone are one name there. */
  ignoresCase: boolean;
  schema: string;
  table: string;
}

/** The name of a job that is not deleted and writes the table, or will when it runs; undefined when none does. */
export async function jobWriting(
  deps: Connectors,
  tx: Pick<Tx, 'job'>,
  projectId: string,
  target: TableOfDatastore,
): Promise<string | undefined> {
  const jobs = await tx.job.findMany({
    where: { projectId, deletedAt: null },
    select: {
      name: true,
      streams: true,
      destination: { select: { type: true, version: true, config: true } },
    },
    orderBy: { createdAt: 'asc' },
  });
  const writer = jobs.find(({ streams, destination }) =>
    storedSelections(streams).some((stream) => isWritten(deps, destination, stream, target)),
  );
  return writer?.name;
}

/** The streams that a job would write to tables that transformations make. */
export async function checkJobTables(
  deps: PipelineDeps,
  viewer: Viewer,
  destination: Writing,
  selections: readonly StreamSelection[],
): Promise<Problem[]> {
  const made = await deps.store.db.transformation.findMany({
    where: visible(viewer),
    select: { name: true, targetSchema: true, targetTable: true, datastore: true },
  });
  return selections.flatMap((stream, index) => {
    const maker = made.find(({ datastore, targetSchema, targetTable }) =>
      isWritten(deps, destination, stream, {
        datastore,
        ignoresCase: dialectOf(datastore.engine).ignoresCase === true,
        schema: targetSchema,
        table: targetTable,
      }),
    );
    if (!maker) return [];
    const message = `The table "${stream.destinationTable}" is made by the transformation "${maker.name}".`;
    const fix = 'Give the stream another destinationTable.';
    return [{ code: 'IN_USE' as const, path: ['streams', String(index), 'destinationTable'], message, fix }];
  });
}

function isWritten(
  { connectors }: Connectors,
  { type, version, config }: Writing,
  { destinationTable }: StreamSelection,
  { datastore, ignoresCase, schema, table }: TableOfDatastore,
): boolean {
  const to = connectors.destination(type, version)?.datastoreOf(config);
  if (!to || !(to.name === undefined ? datastore.isDefault : to.name === datastore.name)) return false;
  const keyOf = (name: string) => (ignoresCase ? name.toLowerCase() : name);
  if (to.schema === undefined || keyOf(to.schema) !== keyOf(schema)) return false;
  return keyOf(destinationTable) === keyOf(table);
}

/**
 * Whether tables that differ in case alone are one table where the destination writes: so it is where engines say so, and where
 * it is not known.
 */
export async function isCaseIgnored(
  { connectors, store }: Pick<PipelineDeps, 'connectors' | 'store'>,
  viewer: Viewer,
  { type, version, config }: Writing,
): Promise<boolean> {
  const to = connectors.destination(type, version)?.datastoreOf(config);
  if (!to) return true;
  const found = await store.db.datastore.findFirst({
    where: { ...visible(viewer), ...(to.name === undefined ? { isDefault: true } : { name: to.name }) },
    select: { engine: true },
  });
  return !found || dialectOf(found.engine).ignoresCase === true;
}
