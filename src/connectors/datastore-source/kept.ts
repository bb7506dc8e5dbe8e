import { createHash } from 'node:crypto';
import type { ConnectorContext, Json } from '#connectors/contract.ts';
import type { Compared, Remembered } from './difference-sql.ts';

/** What a publish leaves for the next run. */
export interface Kept extends Remembered {
  /** What its keys are: others cannot be compared with it. */
  key: string;
  /** Of the generation. */
  rows: number;
  /** Of what has changed since; a row that changed twice may count twice. */
  sinceRows: number;
}

/** From this share of the generation on, what has changed since is written into a new one. */
const anewShare = 8;

/** Whether so much has changed that reading it beside the generation costs more than a new one. */
export function isWorthAnew({ rows }: Kept, sinceRows: number): boolean {
  return sinceRows * anewShare > rows;
}

export function tablesOf(kept: Remembered | null): string[] {
  return kept === null ? [] : [kept.generation, ...(kept.since === null ? [] : [kept.since])];
}

/** Keys of other columns, or of columns of another type, are other keys. */
export function keyOf({ columns, key }: Compared): string {
  const types = key.map((name) => [name, columns.find((column) => column.name === name)?.dataType]);
  return createHash('sha256')
    .update(JSON.stringify(types.toSorted(([a], [b]) => (a! < b! ? -1 : 1))))
    .digest('hex')
    .slice(0, 16);
}

/** What was kept by the last publish; null when there is nothing to compare with, which is said. */
export function keptBefore(
  compared: Compared,
  state: Json | null,
  there: readonly string[],
  context: ConnectorContext,
): Kept | null {
  const kept = keptIn(state);
  if (kept === null) return null;
  const what = compared.relation.what;
  const anew = 'every row counts as added, and rows that are gone are not found.';
  if (kept.key !== keyOf(compared)) {
    context.log('WARN', `The key of ${what} has changed its type: ${anew}`);
    return null;
  }
  if (tablesOf(kept).every((name) => there.includes(name))) return kept;
  context.log('WARN', `What was remembered of ${what} is no longer in its datastore: ${anew}`);
  return null;
}

function keptIn(state: Json | null): Kept | null {
  const kept = objectOf(objectOf(state)?.difference ?? null);
  if (typeof kept?.generation !== 'string' || typeof kept.key !== 'string') return null;
  const { generation, key, since, rows, sinceRows } = kept;
  const numberOf = (json: Json | undefined) => (typeof json === 'number' ? json : 0);
  return {
    generation,
    key,
    since: typeof since === 'string' ? since : null,
    rows: numberOf(rows),
    sinceRows: numberOf(sinceRows),
  };
}

function objectOf(json: Json | null): { [name: string]: Json } | null {
  return json !== null && typeof json === 'object' && !Array.isArray(json) ? json : null;
}
