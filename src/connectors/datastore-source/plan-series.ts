import { createHash, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#base/errors.ts';
import {
  type ConnectorContext,
  ConnectorError,
  type Difference,
  type Json,
  type Part,
  type PlanFrom,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import { cursorOf } from '#connectors/postgres/cursor.ts';
import { needsFiller, scanSql } from '#connectors/postgres/scan-sql.ts';
import { movedColumns, refuseColumns } from './difference-columns.ts';
import { removedColumn } from './difference-sql.ts';
import type { SourceColumn } from './relations.ts';
import { selectColumns } from './select-columns.ts';
import { dimensionText, periodColumn, type SeriesStream } from './series.ts';
import { escapedText } from './stream-moment.ts';

/** A row as texts by column, as PostgreSQL writes them; null for none. */
type Row = ReadonlyMap<string, string | null>;

const lineBytesMax = 16 * 1024 * 1024;

/**
 * Plans the read of a series: asks it whole, and takes of its points what the selection wants. It has 10,000 points at most,
 * so that a difference remembers them in its state, and needs no grant in the datastore. Fails with SCHEMA for two points
 * of one key.
 */
export async function planSeries(
  stream: SeriesStream,
  { selection, from, context }: { selection: StreamSelection; from: PlanFrom; context: ConnectorContext },
): Promise<StreamPlan> {
  const columns = selectColumns(stream, selection, from.asText);
  const rows = await rowsOf(stream, from, context);
  refuseTwins(stream.what, rows, stream.primaryKey);
  const { difference } = selection;
  if (difference) {
    const asked = { rows, columns, key: selection.primaryKey, difference, state: from.state };
    return planChanges(stream.what, asked, context);
  }
  const before = selection.syncMode === 'INCREMENTAL' ? cursorOf(from.state).cursor : null;
  const isNew = (row: Row) => before === null || row.get(periodColumn)! >= before;
  const taken = rows.filter(isNew);
  const upper = taken.at(-1)?.get(periodColumn) ?? before;
  return {
    ...planOf(context, { title: before === null ? 'all points' : 'new points', columns, rows: taken }),
    nextState: selection.syncMode === 'INCREMENTAL' ? { cursor: upper } : null,
    ties: before === null ? null : { column: periodColumn, value: before },
  };
}

async function rowsOf(
  { what, series, columns, nullAs }: SeriesStream,
  { origin }: PlanFrom,
  context: ConnectorContext,
): Promise<Row[]> {
  const names = columns.map(({ name }) => name);
  try {
    const points = await series.points(`task ${origin?.taskId ?? ''}`);
    return points.map(({ at, dimensions, values }) => {
      const texts = [
        at.toISOString(),
        ...dimensions.map((value) => dimensionText(value, nullAs)),
        ...values.map((value) => (value === null ? null : String(value))),
      ];
      return new Map(names.map((name, place) => [name, texts[place]!]));
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof AppError) || error.code !== 'BAD_USER_INPUT') throw error;
    throw new ConnectorError('CONFIG', `Of ${what} no points are given: ${error.message}`, {
      ...(error.fix !== undefined && { fix: error.fix }),
      cause: error,
    });
  }
}

function keyOf(row: Row, key: readonly string[]): string {
  return JSON.stringify(key.map((name) => row.get(name) ?? null));
}

/** Different values may have one text: 1 and "1", no value and the text that stands for it, "other" and the rest of a limit. */
function refuseTwins(what: string, rows: readonly Row[], key: readonly string[]): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const own = keyOf(row, key);
    if (!seen.has(own)) {
      seen.add(own);
      continue;
    }
    throw new ConnectorError('SCHEMA', `Two points of ${what} have one key (${key.join(', ')}): ${own}.`, {
      fix: 'Choose a primaryKey that tells all points apart; where two groups have one text, change nullAs or filter one of them out.',
    });
  }
}

/** What a publish leaves for the next run: the hash of every point by its key. */
interface Kept {
  key: string[];
  points: Record<string, string>;
}

function planChanges(
  what: string,
  { rows, columns, key, difference, state }: Compared,
  context: ConnectorContext,
): StreamPlan {
  refuseColumns(what, columns, key);
  refuseTwins(what, rows, key);
  refuseNulls(what, rows, key);
  const before = pointsBefore(state, key);
  const hashed = rows.map((row) => ({ row, key: keyOf(row, key), hash: hashOf(row, columns) }));
  const now = new Map(hashed.map((each) => [each.key, each.hash]));
  const changed = hashed.filter((each) => before.get(each.key) !== each.hash);
  const added = changed.filter((each) => !before.has(each.key)).length;
  const gone = [...before.keys()].filter((each) => !now.has(each));
  const kept: Kept = { key, points: Object.fromEntries(now) };
  const moving = changed.map(({ row }) => new Map([...row, [removedColumn, 'f']]));
  if (difference.mirrorRemovals) moving.push(...gone.map((each) => removedRow(each, key)));
  return {
    ...planOf(context, {
      title: 'changes',
      columns: movedColumns(columns, key, difference),
      rows: moving,
    }),
    nextState: { series: kept as unknown as Json },
    changes: {
      added: BigInt(added),
      changed: BigInt(changed.length - added),
      removed: BigInt(gone.length),
    },
  };
}

interface Compared {
  rows: readonly Row[];
  columns: readonly SourceColumn[];
  key: string[];
  difference: Difference;
  state: Json | null;
}

function refuseNulls(what: string, rows: readonly Row[], key: readonly string[]): void {
  const empty = rows.find((row) => key.some((name) => row.get(name) === null));
  if (!empty) return;
  throw new ConnectorError('SCHEMA', `Points of ${what} have NULL in their key: ${keyOf(empty, key)}.`, {
    fix: 'Choose a primaryKey that is never NULL, or read with FULL_REFRESH.',
  });
}

/** By key, the hash of every point as last published; empty where nothing can be compared. */
function pointsBefore(state: Json | null, key: readonly string[]): Map<string, string> {
  const kept = (state as { series?: Kept } | null)?.series;
  if (!kept || JSON.stringify(kept.key) !== JSON.stringify(key)) return new Map();
  return new Map(Object.entries(kept.points));
}

/** Columns by their names: one that comes or goes changes all hashes. */
function hashOf(row: Row, columns: readonly SourceColumn[]): string {
  const named = columns
    .map(({ name }) => [name, row.get(name) ?? null])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));
  return createHash('md5').update(JSON.stringify(named)).digest('base64url');
}

function removedRow(own: string, key: readonly string[]): Map<string, string> {
  const values = JSON.parse(own) as string[];
  return new Map([...key.map((name, at) => [name, values[at]!] as const), [removedColumn, 't']]);
}

interface Rows {
  title: string;
  columns: readonly SourceColumn[];
  rows: readonly Row[];
}

/** The rows as one part, or none. Another attempt asks anew, so that nothing of this one is worth keeping. */
function planOf(context: ConnectorContext, { title, columns, rows }: Rows): Omit<StreamPlan, 'nextState'> {
  const path = join(context.pipesDir, `series-${randomUUID()}.txt`);
  const part: Part = {
    id: randomUUID(),
    title,
    async open() {
      const text = textOf(rows, columns);
      await writeFile(path, text, { mode: 0o600 });
      return {
        scan: scanSql(path, columns, lineBytesMax),
        finished: Promise.resolve(),
        bytesRead: () => Buffer.byteLength(text),
        explain: () => undefined,
        [Symbol.asyncDispose]: () => rm(path, { force: true }),
      };
    },
  };
  return {
    columns: columns.map(({ dataType: _, ...column }) => column),
    parts: rows.length === 0 ? [] : [part],
    estimatedRows: BigInt(rows.length),
    resume: null,
    ties: null,
    async [Symbol.asyncDispose]() {},
  };
}

/** Lines of PostgreSQL's text format. */
function textOf(rows: readonly Row[], columns: readonly SourceColumn[]): string {
  const filler = needsFiller(columns) ? '\t1' : '';
  const lineOf = (row: Row) =>
    columns.map(({ name }) => {
      const value = row.get(name) ?? null;
      return value === null ? '\\N' : escapedText(value);
    });
  return rows.map((row) => `${lineOf(row).join('\t')}${filler}\n`).join('');
}
