import type { Json, SourceConnector, StreamColumn, StreamInfo, SyncMode } from '#connectors/contract.ts';

/** One part of a stream that a test tells what to do. */
export interface SlowPart {
  id: string;
  /** What DuckDB scans. */
  sql: string;
  /** Runs before the part gives its rows: waits for the test, or fails as a source does. */
  before?(signal: AbortSignal): Promise<void> | void;
}

export interface SlowStream {
  name: string;
  namespace?: string;
  columns?: StreamColumn[];
  primaryKey?: string[];
  cursorFields?: string[];
  syncModes?: SyncMode[];
  parts(from: { state: Json | null; resume: Json | null; asText: string[] }): SlowPart[];
  nextState?: Json | null;
  /** Whether parts staged by an earlier attempt are kept. */
  resumable?: boolean;
  ties?: { column: string; value: string };
}

export const idAndName: StreamColumn[] = [
  { name: 'id', type: { kind: 'int64' }, nullable: false, sourceType: 'bigint' },
  { name: 'name', type: { kind: 'text' }, nullable: true, sourceType: 'text' },
];

/** A source that waits, fails and misfits on demand, since a real one cannot be made to. */
export function slowSource(
  streams: () => SlowStream[],
  hooks: { open?(): Promise<void> | void } = {},
): SourceConnector {
  const infoOf = (stream: SlowStream): StreamInfo => ({
    namespace: stream.namespace ?? null,
    name: stream.name,
    columns: stream.columns ?? idAndName,
    syncModes: stream.syncModes ?? ['FULL_REFRESH', 'INCREMENTAL'],
    primaryKey: stream.primaryKey ?? ['id'],
    cursorFields: stream.cursorFields ?? ['id'],
    estimatedRows: null,
  });
  return {
    type: 'slow',
    version: '1.0.0',
    title: 'Slow',
    documentationUrl: null,
    spec: {
      type: 'object',
      additionalProperties: false,
      required: ['host'],
      properties: {
        host: { type: 'string', minLength: 1 },
        port: { type: 'integer', default: 5432 },
        password: { type: 'string', secret: true },
      },
    },
    syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
    check: async () => ({ ok: true, message: 'There.', problems: [] }),
    discover: async () => streams().map(infoOf),
    async open() {
      await hooks.open?.();
      return {
        async plan(selection, from) {
          const stream = streams().find((each) => each.name === selection.name);
          if (!stream) throw new Error(`no stream ${selection.name}`);
          const parts = stream.parts(from);
          const columns = (stream.columns ?? idAndName).map((column) =>
            from.asText.includes(column.name) ? { ...column, type: { kind: 'text' as const } } : column,
          );
          return {
            columns,
            parts: parts.map((part) => ({
              id: part.id,
              title: `part ${part.id}`,
              open: async (signal) => {
                await part.before?.(signal);
                return {
                  scan: part.sql,
                  finished: Promise.resolve(),
                  bytesRead: () => 100,
                  explain: () => undefined,
                  async [Symbol.asyncDispose]() {},
                };
              },
            })),
            estimatedRows: null,
            resume: stream.resumable === false ? null : { planned: true },
            nextState: stream.nextState ?? null,
            ties: stream.ties ?? null,
            async [Symbol.asyncDispose]() {},
          };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

/** Rows with ids from `from` to `to`. */
export function rowsSql(from: number, to: number): string {
  return `SELECT range::BIGINT AS id, 'name ' || range AS name FROM range(${from}, ${to + 1})`;
}

/** Resolves when it is opened, and rejects when the signal aborts first. */
export function gate(): { wait(signal: AbortSignal): Promise<void>; open(): void; reached: Promise<void> } {
  const opened = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: opened.resolve,
    async wait(signal) {
      reached.resolve();
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
      await Promise.race([opened.promise, aborted.promise]);
    },
  };
}

/** A stream of two parts, ids 1 to 3 and 4 to 6, the second of which waits while `isStuck`. */
export function stuckStream(
  blocked: ReturnType<typeof gate>,
  isStuck: () => boolean = () => true,
  more: Partial<SlowStream> = {},
): SlowStream {
  return {
    name: 'users',
    parts: () => [
      { id: 'a', sql: rowsSql(1, 3) },
      { id: 'b', sql: rowsSql(4, 6), before: (signal) => (isStuck() ? blocked.wait(signal) : undefined) },
    ],
    ...more,
  };
}
