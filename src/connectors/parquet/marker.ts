import { ConnectorError, type Json, type StreamColumn, type WriteOrigin } from '#connectors/contract.ts';

/** The name of the marker in a version's folder. Readers of Parquet pass over names that begin with "_". */
export const markerName = '_sluice.json';

/** What a version says of itself: it appears with its rows in one rename, so that both are there or neither. */
export interface VersionMarker extends WriteOrigin {
  stream: { namespace: string | null; name: string };
  /** What the source goes on from. */
  state: Json | null;
  /** Rows that the task wrote, as the publish told. */
  rowsWritten: string;
  columns: StreamColumn[];
  files: VersionFile[];
  publishedAt: string;
}

export interface VersionFile {
  name: string;
  rows: number;
  bytes: number;
}

/** Who writes a table: the first job that opened it, for good. */
export interface TableOwner {
  projectId: string;
  jobId: string;
  stream: { namespace: string | null; name: string };
}

/** Reads a marker's text. Throws DESTINATION when somebody else has written it. */
export function parseMarker(text: string, where: string): VersionMarker {
  const marker = parsed(text) as Partial<VersionMarker> | null;
  if (typeof marker?.taskId === 'string' && Array.isArray(marker.columns) && Array.isArray(marker.files)) {
    return marker as VersionMarker;
  }
  throw new ConnectorError('DESTINATION', `The file "${where}/${markerName}" is not as Sluice wrote it.`, {
    fix: 'Restore it, or remove the table with its folder under ".sluice-tables" and sync again from the beginning.',
  });
}

/** Reads an owner's text; null when it is unreadable, as after a crash in the middle of its write. */
export function parseOwner(text: string): TableOwner | null {
  const owner = parsed(text) as Partial<TableOwner> | null;
  return typeof owner?.jobId === 'string' && owner.stream ? (owner as TableOwner) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const nameBytesMax = 200;

/** Throws CONFIG for a table's name that cannot be a folder's. */
export function refuseTableName(table: string): void {
  const reason =
    table === ''
      ? 'it is empty'
      : /[/\\\0]/.test(table)
        ? 'it contains a slash or a NUL character'
        : table.startsWith('.')
          ? 'it begins with "."'
          : Buffer.byteLength(table) > nameBytesMax
            ? `it is longer than ${nameBytesMax} bytes`
            : undefined;
  if (reason === undefined) return;
  throw new ConnectorError(
    'CONFIG',
    `The destinationTable "${table}" cannot be a folder of Parquet files: ${reason}.`,
    {
      path: ['destinationTable'],
      fix: 'Give the stream another destinationTable.',
    },
  );
}

/** A staged part's file name: it is the part's marker, and appears when the part is whole. */
export function stagedName(part: { partId: string; rows: bigint; bytes: bigint }): string {
  const name = `${Buffer.from(part.partId).toString('base64url')}.${part.rows}.${part.bytes}.parquet`;
  if (name.length > 250)
    throw new ConnectorError('INTERNAL', `The part id "${part.partId}" is too long for a file's name.`);
  return name;
}

/** The part of a staged file; null for any other file. */
export function stagedPartOf(name: string): { partId: string; rows: bigint; bytes: bigint } | null {
  const [, id, rows, bytes] = /^([\w-]+)\.(\d+)\.(\d+)\.parquet$/.exec(name) ?? [];
  if (id === undefined || rows === undefined || bytes === undefined) return null;
  return { partId: Buffer.from(id, 'base64url').toString(), rows: BigInt(rows), bytes: BigInt(bytes) };
}
