import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '#base/id.ts';
import {
  ColumnMisfit,
  type ConnectorContext,
  type DestinationConnector,
  type FoundChanges,
  type Json,
  type Part,
  type SourceConnector,
  type StreamPlan,
  type StreamSelection,
  type StreamWriter,
  type WriteOrigin,
} from '#connectors/contract.ts';
import { type DuckDbWarehouse, openDuckDb } from '#warehouse/duckdb.ts';

/** A place to move streams in: a warehouse, a files root and a folder for FIFOs, all removed at the end. */
export interface Mover extends AsyncDisposable {
  warehouse: DuckDbWarehouse;
  home: string;
  filesRoot: string;
  pipesDir: string;
  /** What connectors logged, as "LEVEL message". */
  lines: string[];
  context(signal?: AbortSignal): ConnectorContext;
  rows(sql: string): Promise<unknown[][]>;
}

export async function openMover(): Promise<Mover> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'sluice-move-')));
  const [filesRoot, pipesDir] = [join(home, 'data'), join(home, 'pipes')];
  await mkdir(filesRoot);
  await mkdir(pipesDir, { mode: 0o700 });
  const warehouse = await openDuckDb({
    path: join(home, 'warehouse.duckdb'),
    allowedDirectories: [filesRoot, pipesDir],
  });
  const lines: string[] = [];
  const never = new AbortController().signal;
  return {
    warehouse,
    home,
    filesRoot,
    pipesDir,
    lines,
    context: (signal = never) => ({
      filesRoot,
      pipesDir,
      signal,
      log: (level, message) => void lines.push(`${level} ${message}`),
      datastore: async (name) => ({
        name: name ?? 'warehouse',
        warehouse,
      }),
    }),
    async rows(sql) {
      await using session = await warehouse.session();
      return session.rows(sql);
    },
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await rm(home, {
        recursive: true,
        force: true,
      });
    },
  };
}

/** A selection of a stream with everything a test does not say filled in. */
export function selectionOf(name: string, more: Partial<StreamSelection> = {}): StreamSelection {
  return {
    namespace: null,
    name,
    syncMode: 'FULL_REFRESH',
    writeMode: 'OVERWRITE',
    cursorField: null,
    primaryKey: [],
    destinationTable: name,
    selectedColumns: null,
    ...more,
  };
}

/** A new task, of a new job unless one is given. */
export function originOf(jobId: string = newId()): WriteOrigin {
  return { projectId: newId(), jobId, taskId: newId() };
}

export interface Move {
  source: SourceConnector<never>;
  sourceConfig: unknown;
  destination: DestinationConnector<never>;
  destinationConfig: unknown;
  selection: StreamSelection;
  origin: WriteOrigin;
  lanes?: number;
  state?: Json | null;
}

export interface Moved {
  state: Json | null;
  rowsWritten: bigint;
  parts: number;
  lines: string[];
  changes?: FoundChanges;
}

/** Moves one stream from its plan to its publish, starting anew on a misfit as the pipelines do. */
export async function moveStream(mover: Mover, move: Move, signal?: AbortSignal): Promise<Moved> {
  const context = mover.context(signal);
  await using source = await move.source.open(move.sourceConfig as never, context);
  await using destination = await move.destination.open(move.destinationConfig as never, context);
  await using writer = await destination.stream(move.origin, move.selection);
  const state = move.state ?? writer.published?.state ?? null;
  for (const asText: string[] = []; ;) {
    const { selection, origin } = move;
    await using plan = await source.plan(selection, { state, resume: null, asText, origin });
    try {
      const { changes, warnings } = await writer.begin(plan.columns, false);
      await stageAll(plan, writer, context.signal, move.lanes ?? 2);
      const { rowsWritten } = await writer.publish(plan.nextState, plan.ties);
      await plan.published?.();
      return {
        ...(plan.changes && { changes: plan.changes }),
        state: plan.nextState,
        rowsWritten,
        parts: plan.parts.length,
        lines: [...warnings, ...changes],
      };
    } catch (error) {
      if (!(error instanceof ColumnMisfit) || asText.includes(error.column)) throw error;
      asText.push(error.column);
    }
  }
}

/** Stages every part of a plan, several at once; the first failure stops the others. */
export async function stageAll(
  plan: StreamPlan,
  writer: StreamWriter,
  outer: AbortSignal,
  lanes = 2,
): Promise<void> {
  const todo = [...plan.parts];
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const failures: unknown[] = [];
  const lane = async () => {
    for (let part = todo.shift(); part && !signal.aborted; part = todo.shift()) {
      await stagePart(part, writer, signal).catch((error: unknown) => {
        failures.push(error);
        stop.abort(error);
      });
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  outer.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

export async function stagePart(part: Part, writer: StreamWriter, signal: AbortSignal): Promise<bigint> {
  await using open = await part.open(signal);
  return (await writer.stage(open, part.id, signal, () => undefined)).rows;
}
