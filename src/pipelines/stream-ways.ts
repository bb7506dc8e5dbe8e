import { AppError, type Problem } from '#base/errors.ts';
import { ConnectorError, type StreamSelection, type WrittenTable } from '#connectors/contract.ts';
import type { Destination, Source } from '#generated/prisma/client.ts';
import type { TableName } from '#warehouse/warehouse.ts';
import { streamName } from './check-streams.ts';
import { withinTime } from './connector-context.ts';
import type { PipelineDeps } from './deps.ts';
import { configOfRow, findConnector } from './end-config.ts';

/** What a stream reads of a datastore of the project, the tables behind views included. */
export interface StreamReads {
  datastore: string;
  tables: readonly TableName[];
  /** Names that differ in case alone are one name there. */
  ignoresCase: boolean;
}

/** A table that a stream would write; the database is left out where its engine has one alone. */
export type StreamTarget = Omit<WrittenTable, 'database'> & { database?: string | undefined };

/** From what to where rows of a stream go within the project's datastores. */
export interface StreamWay {
  selection: StreamSelection;
  reads: StreamReads;
  writes: StreamTarget & { ignoresCase: boolean };
}

const lookMs = 30_000;

/** Whether the table is among what is read. */
export function readsTarget(reads: StreamReads, target: StreamTarget): boolean {
  if (reads.datastore !== target.datastore) return false;
  const isSame = (one: string, other: string) =>
    one === other || (reads.ignoresCase && one.toLowerCase() === other.toLowerCase());
  return reads.tables.some(
    ({ database, schema, name }) =>
      isSame(schema, target.schema) &&
      isSame(name, target.name) &&
      (target.database === undefined || isSame(database, target.database)),
  );
}

/**
 * The ways of the streams that go from a datastore of the project to one. Those that cannot be told now are left out: a task
 * finds out, and says why.
 */
export async function streamWays(
  deps: PipelineDeps,
  projectId: string,
  { source, destination }: { source: Source; destination: Destination },
  selections: readonly StreamSelection[],
): Promise<StreamWay[]> {
  if (!findConnector(deps, 'source', source.type, source.version).datastoreOf) return [];
  const writing = findConnector(deps, 'destination', destination.type, destination.version);
  const to = writing.datastoreOf(destination.config);
  const schema = to?.schema;
  if (schema === undefined) return [];
  const ways: StreamWay[] = [];
  try {
    await withinTime(deps, projectId, { what: 'The source', withinMs: lookMs }, async (context) => {
      const { name: datastore, warehouse } = await context.datastore(to?.name);
      const { connector, config } = configOfRow(deps, 'source', source);
      await using session = await connector.open(config, context);
      for (const selection of selections) {
        context.signal.throwIfAborted();
        const reads = await session.reads?.(selection);
        const name = selection.destinationTable;
        const ignoresCase = warehouse.dialect.ignoresCase === true;
        const writes = { datastore, database: warehouse.database, schema, name, ignoresCase };
        if (reads) ways.push({ selection, reads, writes });
      }
    });
  } catch (error) {
    if (!(error instanceof AppError || error instanceof ConnectorError)) throw error;
  }
  return ways;
}

/** The streams that would be made of the tables that they write, at their places among the selections. */
export function loopProblems(ways: readonly StreamWay[], selections: readonly StreamSelection[]): Problem[] {
  return ways
    .filter(({ reads, writes }) => readsTarget(reads, writes))
    .map(({ selection, writes }) => ({
      code: 'INVALID',
      path: ['streams', String(selections.indexOf(selection)), 'destinationTable'],
      ...loopWords(selection, writes),
    }));
}

/** What is said of a stream that would be made of the table that it writes. */
export function loopWords(
  selection: StreamSelection,
  { datastore, schema, name }: StreamTarget,
): { message: string; fix: string } {
  return {
    message: `"${streamName(selection)}" reads ${schema}.${name} of the datastore "${datastore}", which it would write.`,
    fix: 'Give the stream another destinationTable, or write to another datastore.',
  };
}
