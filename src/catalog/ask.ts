import { AppError } from '#base/errors.ts';
import { sparing } from '#base/sparing.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import type { CachePolicy, CacheStatus } from '#warehouse/result-cache.ts';
import { toStatement, type Sql } from '#warehouse/sql.ts';
import type { Answer, Statement } from '#warehouse/warehouse.ts';
import type { CatalogDeps } from './deps.ts';
import type { OpenableRow } from './datastores.ts';
import type { CatalogedTable } from './mappings.ts';
import type { Reader } from './memory.ts';
import { addCost, type Meter, metered, noCost, whileWorking, type Working } from './meter.ts';
import { readOrigin } from './origin.ts';
import { withoutAddress } from './without-address.ts';

export type { CacheStatus };

/** Who asks the warehouse, for one request. */
export interface Asker extends Reader {
  requestId: string;
  /** Aborts when nobody waits any more: the statement is then stopped, unless others wait for it too. */
  signal: AbortSignal;
  /** Counts what the request costs; undefined where nobody wants to know. */
  meter?: Meter | undefined;
  /** Told of the statements that are run for it: one that others wait for too is told to whoever asked first. */
  working?: Working | undefined;
}

/** A statement on a datastore of the project, and the tables that it reads. */
export interface WarehouseQuestion {
  datastore: CatalogedTable['datastore'];
  sql: Sql;
  /** Ids of the catalog: the answer is kept until one of them is written, or one behind a view among them. Not kept without any. */
  tableIds: readonly string[];
  rowsMax?: number;
  /** After this it fails with WAREHOUSE_TIMEOUT; the engine's own time without one. */
  deadlineMs?: number;
  /** Keeps the answer for a shorter time than the datastore says, and how long it may be given while it is renewed. */
  keep?: { maxAgeMs: number | null; staleMs: number } | null;
  /** What it is for, such as "users": stands beside the request in the engine's own note of the statement. */
  operation?: string;
}

export interface WarehouseAnswer extends Answer {
  cache: CacheStatus;
  statement: Statement;
  /** Of what was read: a write after that does not count, however fresh the tables are by now. */
  freshness: FreshnessOf;
}

/** When the data behind an answer was last written, and by which task; both null when no task wrote it. */
export interface FreshnessOf {
  syncedAt: Date | null;
  taskId: string | null;
  /** Of a copy: when what was copied had been written by then. Left out where that is not known. */
  originalSyncedAt?: Date;
}

/**
 * Answers a question: with what is kept of an equal one, together with an equal one that is being asked, or from the
 * warehouse. What is answered is shared and not to be changed. Fails with WAREHOUSE_UNAVAILABLE, WAREHOUSE_TIMEOUT, or
 * BAD_USER_INPUT for SQL the engine refuses.
 */
export async function askWarehouse(
  deps: CatalogDeps,
  asker: Asker,
  question: WarehouseQuestion,
): Promise<WarehouseAnswer> {
  const { datastore, rowsMax, deadlineMs, keep, operation = 'question' } = question;
  const tag = `${asker.requestId} ${operation}`;
  const statement = toStatement(question.sql, dialectOf(datastore.engine));
  const cost = noCost();
  let row: OpenableRow | undefined;
  const asked = await deps.datastores.cache
    .ask(
      { datastoreId: datastore.id, statement, rowsMax, keep },
      {
        policy: async () => {
          const read = await policyOf(deps, asker.projectId, question);
          ({ row } = read);
          return read.policy;
        },
        run: (signal) =>
          withoutAddress(datastore, async () => {
            // The policy was read before.
            const { warehouse } = await deps.datastores.openRow(row!);
            const bounds = { rowsMax, ...(deadlineMs !== undefined && { deadlineMs }) };
            return metered(cost, () =>
              whileWorking(asker.working, (started) =>
                warehouse.run(statement, { signal, tag, started, ...bounds }),
              ),
            );
          }),
        failed: (error) => {
          const fields = { datastore, requestId: asker.requestId, error };
          sparing(deps.log).warn(datastore.id, 'A kept answer could not be renewed.', fields);
        },
      },
      asker.signal,
    )
    .finally(() => asker.meter && addCost(asker.meter, cost));
  if (asker.meter) asker.meter.cache[lower[asked.status]] += 1;
  return { ...asked.answer, cache: asked.status, statement, freshness: asked.policy.freshness };
}

const lower = { HIT: 'hit', MISS: 'miss', SHARED: 'shared', STALE: 'stale' } as const;

/** An answer also goes with its datastore, so that nothing of it is served once its settings changed. */
async function policyOf(
  { store }: CatalogDeps,
  projectId: string,
  { datastore, tableIds, keep }: WarehouseQuestion,
): Promise<{ policy: CachePolicy & { freshness: FreshnessOf }; row: OpenableRow }> {
  const { row, ids, oldest } = await readOrigin(store, { projectId, datastoreId: datastore.id, tableIds });
  if (!row) {
    throw new AppError('NOT_FOUND', `The project has no datastore "${datastore.name}" any more.`, {
      fix: 'List them with the query datastores.',
    });
  }
  const { maxAgeSeconds = null, staleSeconds = 0 } = cacheConfigOf(row.config);
  const maxAgeMs = maxAgeSeconds === null ? null : maxAgeSeconds * 1000;
  const policy = {
    freshness: oldest,
    tags: ids.length === 0 ? [] : [datastore.id, ...ids],
    maxAgeMs: sooner(maxAgeMs, keep?.maxAgeMs ?? null),
    staleMs: keep ? keep.staleMs : staleSeconds * 1000,
  };
  return { policy, row };
}

function sooner(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

/** What createDatastore and updateDatastore have checked. */
interface CacheConfig {
  maxAgeSeconds?: number | null;
  staleSeconds?: number;
}

function cacheConfigOf(config: unknown): CacheConfig {
  return (config as { cache?: CacheConfig } | null)?.cache ?? {};
}

/** The freshness of what was made from several answers: that of the oldest, null as soon as one is. */
export function oldestFreshness(all: readonly FreshnessOf[]): FreshnessOf {
  let oldest: FreshnessOf = { syncedAt: null, taskId: null };
  for (const each of all) {
    if (each.syncedAt === null) return each;
    if (oldest.syncedAt === null || each.syncedAt < oldest.syncedAt) oldest = each;
  }
  return oldest;
}

/** The statement as people read it: its text, and below it the values of its binds. */
export function shownSql({ sql, binds = [] }: Statement): string {
  if (binds.length === 0) return sql;
  const shown = binds.map((bind) =>
    JSON.stringify(bind, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  );
  return `${sql}\n-- binds: ${shown.join(', ')}`;
}
