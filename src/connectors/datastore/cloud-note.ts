import { createHash } from 'node:crypto';
import type { StagedPart } from '#connectors/contract.ts';

/** What stands in the note of a table that holds a part. */
export interface PartNote extends StagedPart {
  /** Of the table's columns: parts of another shape cannot be published together. */
  shape: string;
}

const partMark = 'sluice part ';

export function writePartNote({ partId, rows, bytes, shape }: PartNote): string {
  return partMark + JSON.stringify({ part: partId, rows: String(rows), bytes: String(bytes), shape });
}

/** Null when the table has not been filled whole. */
export function readPartNote(note: string): PartNote | null {
  if (!note.startsWith(partMark)) return null;
  const { part, rows, bytes, shape } = JSON.parse(note.slice(partMark.length)) as Record<string, string>;
  return { partId: part!, rows: BigInt(rows!), bytes: BigInt(bytes!), shape: shape! };
}

/** Which publish made a table, by the task that did it. */
export interface PublishNote {
  job: string;
  /** A hash of the stream's name, which may be long. */
  stream: string;
  task: string;
}

const publishMark = /\s*\[sluice (\{[^\n]*\})\]$/;

/** The note with the publish in it: what people wrote there stays, as far as there is room. */
export function writePublishNote(
  before: string,
  { job, stream, task }: PublishNote,
  lengthMax: number,
): string {
  const mark = `[sluice ${JSON.stringify({ job, stream, task })}]`;
  const words = before.replace(publishMark, '').slice(0, lengthMax - mark.length - 1);
  return words === '' ? mark : `${words}\n${mark}`;
}

/** The publish that one note tells of, with the words of another. */
export function withWords(note: string, words: string): string {
  if (note === words) return note;
  const [mark = ''] = publishMark.exec(note) ?? [];
  return [words.replace(publishMark, ''), mark.trim()].filter((part) => part !== '').join('\n');
}

/** Null for a table that no publish made. */
export function readPublishNote(note: string): PublishNote | null {
  const [, json] = publishMark.exec(note) ?? [];
  if (json === undefined) return null;
  try {
    return JSON.parse(json) as PublishNote;
  } catch {
    return null;
  }
}

/** As many hexadecimal digits of a hash. */
export function hashOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}
