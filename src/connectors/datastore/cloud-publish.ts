import { ConnectorError, type Json, type PublishMarker, type StagedPart } from '#connectors/contract.ts';
import { typeName } from '#connectors/column-type.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { nameSql, rawSql, sql, type Sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { EngineTable } from './cloud-loader.ts';
import {
  announce,
  guardOf,
  type Marked,
  makeMarker,
  publishNoteOf,
  readMarked,
  settle,
  type StreamKey,
} from './cloud-marker.ts';
import { readPublishNote, writePublishNote } from './cloud-note.ts';
import * as sqlOf from './cloud-sql.ts';

export interface Publish extends sqlOf.Publishing {
  key: StreamKey;
  writeMode: 'OVERWRITE' | 'APPEND' | 'UPSERT';
  stream: string;
  staged: readonly StagedPart[];
  state: Json | null;
  /** What was published when the writer was opened. */
  before: PublishMarker | null;
}

/**
 * Publishes the parts and the marker. When another worker has done so for this very task, gives what that one wrote; when
 * another task came first, fails with TRANSIENT. NULL in an UPSERT's key fails with SCHEMA. Then the target is as it was.
 */
export async function publishParts(publish: Publish, signal: AbortSignal): Promise<bigint> {
  const { loader, existing, key, before } = publish;
  const note = readPublishNote(existing?.note ?? '');
  if (publish.writeMode === 'UPSERT') await refuseKeylessRows(publish, signal);
  await settle(loader, note, signal);
  await makeMarker(loader, key, signal);
  const marked = await readMarked(loader, key, note, signal);
  if (marked.published?.taskId === key.origin.taskId) return marked.published.rowsWritten;
  if (marked.published?.taskId !== before?.taskId) throw overtaken(publish);
  const rowsWritten = await countRows(publish, signal);
  const replaces = publish.writeMode === 'OVERWRITE' || existing === null || changesTypes(publish, existing);
  if (replaces || !loader.commit) await replaceTarget(publish, rowsWritten, signal);
  else await changeTarget(publish, marked, rowsWritten, signal);
  return rowsWritten;
}

async function refuseKeylessRows(publish: Publish, signal: AbortSignal): Promise<void> {
  if (publish.parts.length === 0) return;
  const nulls = await count(publish, sqlOf.keylessRows(publish), signal);
  if (nulls === 0n) return;
  throw new ConnectorError(
    'SCHEMA',
    `${nulls} rows of "${publish.stream}" have NULL in their primary key (${publish.primaryKey.join(', ')}): no row could ever be recognised by it. The table is untouched.`,
    { fix: 'Choose a primaryKey that is never NULL, or another write mode.' },
  );
}

async function countRows(publish: Publish, signal: AbortSignal): Promise<bigint> {
  const { writeMode, ties, existing, parts, staged } = publish;
  if (writeMode === 'UPSERT' && parts.length > 0) return count(publish, sqlOf.countKeys(publish), signal);
  if (writeMode === 'APPEND' && ties && existing && parts.length > 0) {
    return count(publish, sql`SELECT COUNT(*) FROM (${sqlOf.newRows(publish)}) AS n`, signal);
  }
  return staged.reduce((sum, { rows }) => sum + rows, 0n);
}

async function count({ loader }: Publish, piece: Sql, signal: AbortSignal): Promise<bigint> {
  const [row] = await loader.run(toStatement(piece, loader.dialect), signal);
  return BigInt(row![0] as bigint | number);
}

function changesTypes({ columns }: Publish, existing: EngineTable): boolean {
  const held = new Map(existing.columns.map(({ name, type }) => [columnKey(name), typeName(type)]));
  return columns.some(({ name, type }) => (held.get(columnKey(name)) ?? typeName(type)) !== typeName(type));
}

/** The new table and its note are one step; what the note stands for is written before, and for good after it. */
async function replaceTarget(publish: Publish, rowsWritten: bigint, signal: AbortSignal): Promise<void> {
  const { loader, key, target, existing, columns, state } = publish;
  const note = publishNoteOf(key);
  await announce(loader, key, { state, rowsWritten }, signal);
  const replacement = {
    columns: columns.map(({ name, engineType }) => ({ name, type: engineType })),
    select: replacingRows(publish),
    note: writePublishNote(existing?.note ?? '', note, loader.noteLengthMax),
    before: existing && (existing.seen ?? existing.note),
  };
  await loader.replace(target, replacement, signal);
  // Whoever opens the stream next finds it by the note.
  await settle(loader, note, signal).catch(() => undefined);
}

function replacingRows(publish: Publish): Sql {
  const { writeMode, existing } = publish;
  if (writeMode === 'UPSERT') return existing ? sqlOf.mergedRows(publish) : sqlOf.keptVersions(publish);
  if (writeMode === 'OVERWRITE' || existing === null) return sqlOf.allRows(publish);
  return sql`${sqlOf.oldRows(publish)} UNION ALL ${sqlOf.newRows(publish)}`;
}

/** New columns first: a reader may see them, empty, before the rows. Then rows and marker are one transaction. */
async function changeTarget(
  publish: Publish,
  marked: Marked,
  rowsWritten: bigint,
  signal: AbortSignal,
): Promise<void> {
  const { loader, key, target, existing, columns, state } = publish;
  const held = new Set(existing!.columns.map(({ name }) => columnKey(name)));
  for (const { name, engineType } of columns.filter((column) => !held.has(columnKey(column.name)))) {
    const added = sql`ALTER TABLE ${tableSql(target)} ADD COLUMN ${nameSql(name)} ${rawSql(engineType)}`;
    await loader.run(toStatement(added, loader.dialect), signal);
  }
  const guard = guardOf(loader, key, { state, rowsWritten, after: marked.seq });
  const rows = publish.writeMode === 'UPSERT' ? sqlOf.mergeSql(publish) : sqlOf.insertSql(publish);
  const then = publish.parts.length > 0 ? [toStatement(rows, loader.dialect)] : [];
  if (await loader.commit!(guard, then, signal)) return;
  const now = await readMarked(loader, key, null, signal);
  if (now.published?.taskId !== key.origin.taskId) throw overtaken(publish);
}

function overtaken({ target, stream }: Publish): ConnectorError {
  return new ConnectorError(
    'TRANSIENT',
    `"${stream}" was published to ${target.schema}.${target.name} by another task meanwhile.`,
    { fix: 'It is tried again.' },
  );
}
