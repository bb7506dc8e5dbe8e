import { createHash, randomUUID } from 'node:crypto';
import {
  ConnectorError,
  type ConnectorContext,
  type Json,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import { makeFifos } from '#connectors/fifo.ts';
import { boundedBy, cursorOf, isResumable, newCursor, type CursorState } from './cursor.ts';
import { blockSlices, keyBounds, keySlices, partCount, rangeKey, type Slice } from './cut-parts.ts';
import { describeRelations, type DescribedColumn, type DescribedRelation } from './describe-tables.ts';
import { lineBytes } from './line-bytes.ts';
import { nearlyUniqueColumns } from './nearly-unique.ts';
import { readError } from './read-error.ts';
import { openCopyPart } from './read-part.ts';
import { copySql } from './scan-sql.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';
import type { PostgresConfig } from './spec.ts';

/** What a key-range plan stores, so that another attempt cuts the same parts and ends at the same cursor. */
interface Resume {
  signature: string;
  bounds: string[];
  cursor: CursorState | null;
}

type From = { state: Json | null; resume: Json | null; asText: string[] };

/**
 * Plans the read of one table or view at one moment, which all its parts share. Fails with SCHEMA when the table or a
 * selected column is gone, with SOURCE when the user may not read it.
 */
export async function planStream(
  config: PostgresConfig,
  selection: StreamSelection,
  from: From,
  context: ConnectorContext,
): Promise<StreamPlan> {
  const what = `${selection.namespace ?? 'public'}.${selection.name}`;
  const snapshot = await takeSnapshot(config, context.signal);
  try {
    return await planAt(snapshot, selection, from, { what, context });
  } catch (error) {
    await snapshot[Symbol.asyncDispose]();
    context.signal.throwIfAborted();
    throw readError(what, error);
  }
}

async function planAt(
  snapshot: Snapshot,
  selection: StreamSelection,
  from: From,
  { what, context }: { what: string; context: ConnectorContext },
): Promise<StreamPlan> {
  const { client } = snapshot;
  const relation = await findRelation(snapshot, selection, what);
  const columns = selectColumns(relation, selection, from.asText, what);
  const signature = signatureOf(selection, columns, from.state);
  const resume = isResumable<Resume>(from.resume, signature) ? from.resume : null;
  const before = cursorOf(from.state);
  const cursor =
    selection.syncMode === 'FULL_REFRESH'
      ? null
      : await newCursor(client, relation, selection, before, resume?.cursor);
  if (cursor?.warning) context.log('WARN', cursor.warning);

  const key = rangeKey(relation);
  const count = cursor?.isSmall ? 1 : partCount(relation);
  const bounds = key === null ? [] : (resume?.bounds ?? (await keyBounds(client, relation, key, count)));
  const slices = key === null ? unkeyedSlices(relation, count) : keySlices(key, bounds, signature);
  const where = cursor?.where ?? null;
  const fifos = makeFifos(context.pipesDir);
  const lineBytesMax = await lineBytes(client, relation, columns);
  const unique = await nearlyUniqueColumns(client, relation);
  const nextState = cursor ? ({ cursor: cursor.upper } satisfies Json) : null;
  return {
    columns: columns.map(({ isLong: _, ...column }) =>
      unique.has(column.name) ? { ...column, nearlyUnique: true } : column,
    ),
    parts: cursor?.isEmpty
      ? []
      : slices.map((slice) => ({
          id: slice.id,
          title: slice.title,
          open: (signal) => {
            const copy = copySql(relation, columns, boundedBy(slice.where, where));
            return openCopyPart({ snapshot, copy, columns, lineBytesMax, what, fifos }, signal);
          },
        })),
    estimatedRows: cursor ? cursor.estimatedRows : relation.estimatedRows,
    resume: key === null ? null : { signature, bounds, cursor: cursor ? { cursor: cursor.upper } : null },
    nextState,
    ties: cursor && before.cursor !== null ? { column: selection.cursorField!, value: before.cursor } : null,
    async [Symbol.asyncDispose]() {
      await snapshot[Symbol.asyncDispose]();
      await fifos[Symbol.asyncDispose]();
    },
  };
}

async function findRelation(
  { client }: Snapshot,
  selection: StreamSelection,
  what: string,
): Promise<DescribedRelation> {
  const [relation] = await describeRelations(client, [selection.namespace ?? 'public'], selection.name);
  if (relation) return relation;
  throw new ConnectorError('SCHEMA', `There is no table or view ${what} any more.`, {
    fix: 'Discover the streams of the source again and change the job.',
  });
}

function selectColumns(
  relation: DescribedRelation,
  selection: StreamSelection,
  asText: readonly string[],
  what: string,
): DescribedColumn[] {
  const names = selection.selectedColumns ?? relation.columns.map((column) => column.name);
  const missing = names.filter((name) => !relation.columns.some((column) => column.name === name));
  if (missing.length > 0 || names.length === 0) {
    const said =
      names.length === 0
        ? 'has no columns'
        : `has no column ${missing.map((name) => `"${name}"`).join(', ')} any more`;
    throw new ConnectorError('SCHEMA', `${what} ${said}.`, {
      fix: 'Discover the streams of the source again and change selectedColumns.',
    });
  }
  return relation.columns
    .filter((column) => names.includes(column.name))
    .map((column) => (asText.includes(column.name) ? asTextColumn(column) : column));
}

function asTextColumn(column: DescribedColumn): DescribedColumn {
  const asTextBecause = column.asTextBecause ?? `a value of ${column.sourceType} fits no exact type`;
  return { ...column, type: { kind: 'text' }, asTextBecause };
}

/** Parts of two plans are the same when their columns, their beginning and their cut are. */
function signatureOf(
  selection: StreamSelection,
  columns: readonly DescribedColumn[],
  state: Json | null,
): string {
  const said = JSON.stringify([selection.syncMode, selection.cursorField, columns, state]);
  return createHash('sha256').update(said).digest('hex').slice(0, 16);
}

/** Blocks and whole relations mean nothing at another moment, so their ids are never met again. */
function unkeyedSlices(relation: DescribedRelation, count: number): Slice[] {
  const signature = randomUUID();
  if (relation.isHeap && !relation.hasHeirs && count > 1)
    return blockSlices(relation.bytes, count, signature);
  return [{ id: `${signature}:all`, title: 'all rows', where: null }];
}
