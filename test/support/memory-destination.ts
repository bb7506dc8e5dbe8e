import { DuckDBInstance } from '@duckdb/node-api';
import type {
  DestinationConnector,
  PublishMarker,
  StagedPart,
  StreamColumn,
  StreamSelection,
  StreamWriter,
  WriteOrigin,
} from '#connectors/contract.ts';

type Row = Record<string, unknown>;

/** What survives a crash of the process that writes: the tables, the staging and the markers. */
export interface MemoryTables {
  tables: Map<string, Row[]>;
  markers: Map<string, PublishMarker>;
  staging: Map<string, { staged: StagedPart; rows: Row[] }[]>;
  /** How often each part was staged, by "stream part". */
  stagedTimes: Map<string, number>;
  abandoned: string[];
}

export function memoryTables(): MemoryTables {
  return { tables: new Map(), markers: new Map(), staging: new Map(), stagedTimes: new Map(), abandoned: [] };
}

export interface MemoryHooks {
  open?(): Promise<void> | void;
  /** Runs right after a publish has been committed: what it throws, the writer throws. */
  afterPublish?(selection: StreamSelection): Promise<void> | void;
  /** Whether staged parts are dropped although they were to be kept: the table has another shape by now. */
  dropsStaged?(): boolean;
  /** Runs when the writer begins, after the plan was stored. */
  begin?(selection: StreamSelection): Promise<void> | void;
}

/** A destination that keeps the contract with plain tables in memory, and fails at the seams on demand. */
export function memoryDestination(kept: MemoryTables, hooks: MemoryHooks = {}): DestinationConnector {
  return {
    type: 'memory',
    version: '1.0.0',
    title: 'Memory',
    documentationUrl: null,
    spec: { type: 'object', additionalProperties: false, properties: {} },
    writeModes: ['OVERWRITE', 'APPEND', 'UPSERT'],
    datastoreOf: () => null,
    check: async () => ({ ok: true, message: 'There.', problems: [] }),
    async open() {
      await hooks.open?.();
      return {
        stream: async (origin, selection) => writerOf(kept, hooks, origin, selection),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

function writerOf(
  kept: MemoryTables,
  hooks: MemoryHooks,
  origin: WriteOrigin,
  selection: StreamSelection,
): StreamWriter {
  const key = `${origin.jobId} ${selection.name}`;
  const stagingKey = `${origin.taskId} ${selection.name}`;
  const published = kept.markers.get(key) ?? null;
  const parts = kept.staging.get(stagingKey) ?? [];
  let columns: StreamColumn[] = [];
  let staged = parts.map((part) => part.staged);
  return {
    published,
    get staged() {
      return staged;
    },
    table: null,
    async begin(given, keepStaged) {
      await hooks.begin?.(selection);
      columns = given;
      const keeps = keepStaged && !hooks.dropsStaged?.();
      kept.staging.set(stagingKey, keeps ? parts : []);
      if (!keeps) staged = [];
      return { changes: [], warnings: [] };
    },
    async stage(part, partId, signal, onRows) {
      const rows = await scan(part.scan, columns);
      await part.finished;
      signal.throwIfAborted();
      onRows(BigInt(rows.length));
      const staged = { partId, rows: BigInt(rows.length), bytes: BigInt(part.bytesRead()) };
      kept.staging.get(stagingKey)?.push({ staged, rows });
      const times = `${selection.name} ${partId}`;
      kept.stagedTimes.set(times, (kept.stagedTimes.get(times) ?? 0) + 1);
      return staged;
    },
    async publish(state, ties) {
      const before = kept.tables.get(selection.destinationTable) ?? [];
      const incoming = (kept.staging.get(stagingKey) ?? []).flatMap((part) => part.rows);
      const written = merge(before, incoming, selection, ties);
      kept.tables.set(selection.destinationTable, written.rows);
      kept.markers.set(key, { taskId: origin.taskId, state, rowsWritten: BigInt(written.count) });
      kept.staging.delete(stagingKey);
      await hooks.afterPublish?.(selection);
      return { rowsWritten: BigInt(written.count), table: null };
    },
    async abandon() {
      kept.staging.delete(stagingKey);
      kept.abandoned.push(selection.name);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function merge(
  before: Row[],
  incoming: Row[],
  selection: StreamSelection,
  ties: { column: string; value: string } | null,
): { rows: Row[]; count: number } {
  const text = (row: Row): string =>
    JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
  if (selection.writeMode === 'OVERWRITE') return { rows: incoming, count: incoming.length };
  if (selection.writeMode === 'UPSERT') {
    const keyOf = (row: Row): string => selection.primaryKey.map((column) => String(row[column])).join(' ');
    const rows = new Map(before.map((row) => [keyOf(row), row]));
    for (const row of incoming) rows.set(keyOf(row), row);
    return { rows: [...rows.values()], count: incoming.length };
  }
  const known = new Set(before.map(text));
  const fresh = incoming.filter(
    (row) => !ties || String(row[ties.column]) !== ties.value || !known.has(text(row)),
  );
  return { rows: [...before, ...fresh], count: fresh.length };
}

async function scan(sql: string, columns: StreamColumn[]): Promise<Row[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(sql);
    const rows = reader.getRowObjects() as Row[];
    return rows.map((row) =>
      Object.fromEntries(
        columns.map(({ name, type }) => [name, type.kind === 'text' ? String(row[name]) : row[name]]),
      ),
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
