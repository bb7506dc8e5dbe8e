import { parseDuration } from '#base/duration.ts';
import type { DatastoreEngine, EndpointState } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { defaults } from './declaration-schema.ts';
import type { Declaration, ParamDeclaration, Scope } from './declaration.ts';
import type { RateLimit } from './rate-state.ts';
import { type KeyColumn, prepare, type Prepared } from './statement.ts';

/** A column of the answer, as the engine described it when the endpoint was published. */
export interface ServedColumn {
  name: string;
  /** The engine's own name of the type. */
  dataType: string;
  type: ValueType;
}

/** What is kept of a published endpoint: nothing of it changes until it is published again. */
export interface ServedRecord {
  declaration: Declaration;
  columns: ServedColumn[];
  /** Ids of the catalog: what the query reads. */
  tableIds: string[];
  datastore: { id: string; name: string; engine: DatastoreEngine };
  /** Bytes that a call reads, see readBytesOf; left out by what was published before that was asked. */
  readBytes?: string | null;
}

/** A published endpoint, ready to be called. */
export interface Endpoint {
  id: string;
  projectId: string;
  name: string;
  version: number;
  /** Below /api: "v1/users/active". */
  path: string;
  state: EndpointState;
  deprecatedAt: Date | null;
  sunsetAt: Date | null;
  replacement: string | null;
  updatedAt: Date;
  description: string | null;
  tags: readonly string[];
  params: readonly ParamDeclaration[];
  /** Null for anybody. */
  scopes: readonly Scope[] | null;
  prepared: Prepared;
  columns: readonly ServedColumn[];
  tableIds: readonly string[];
  datastore: ServedRecord['datastore'];
  rowsMax: number;
  timeoutMs: number;
  /** Null without pages. */
  pages: { key: readonly KeyColumn[]; size: number; sizeMax: number } | null;
  /** Null where the datastore alone decides. */
  keep: { maxAgeMs: number | null; staleMs: number } | null;
  rateLimit: RateLimit | null;
}

/** A row of the store that is served. */
export interface EndpointRow {
  id: string;
  projectId: string;
  name: string;
  version: number;
  state: EndpointState;
  deprecatedAt: Date | null;
  sunsetAt: Date | null;
  replacement: string | null;
  updatedAt: Date;
  served: unknown;
}

/** Makes ready what was published: it has been checked, so that nothing of it can fail. */
export function endpointOf({ served, ...row }: EndpointRow): Endpoint {
  const { declaration, columns, tableIds, datastore } = served as ServedRecord;
  const { metadata, params = [], auth, limits, cache, rateLimit } = declaration;
  return {
    ...row,
    path: pathOf(declaration),
    description: metadata.description ?? null,
    tags: metadata.tags ?? [],
    params,
    scopes: auth?.public ? null : (auth?.scopes ?? ['DATA_READ']),
    prepared: prepare(declaration.query, params),
    columns,
    tableIds,
    datastore,
    rowsMax: limits?.rows ?? defaults.rows,
    timeoutMs: parseDuration(limits?.timeout ?? defaults.timeout)!,
    pages: pagesOf(declaration, columns),
    keep: cache
      ? {
          maxAgeMs: cache.ttl === undefined ? null : parseDuration(cache.ttl),
          staleMs: cache.staleWhileRevalidate === undefined ? 0 : parseDuration(cache.staleWhileRevalidate)!,
        }
      : null,
    rateLimit: rateLimit
      ? {
          requests: rateLimit.requests ?? null,
          costMs: rateLimit.cost === undefined ? null : parseDuration(rateLimit.cost),
          perMs: parseDuration(rateLimit.per)!,
          by: rateLimit.by ?? 'key',
        }
      : null,
  };
}

/** Below /api. */
export function pathOf({ metadata, route }: Pick<Declaration, 'metadata' | 'route'>): string {
  return `v${metadata.version}${route}`;
}

function pagesOf({ pagination }: Declaration, columns: readonly ServedColumn[]): Endpoint['pages'] {
  if (!pagination) return null;
  const { key, pageSize = defaults.pageSize, pageSizeMax = defaults.pageSizeMax } = pagination;
  const keyColumns = key.map((name) => columns.find((column) => column.name === name)!);
  return {
    key: keyColumns.map(({ name, type }) => ({ name, type })),
    size: Math.min(pageSize, pageSizeMax),
    sizeMax: pageSizeMax,
  };
}

/** How the endpoint's engine spells SQL. */
export function dialectOfEndpoint({ datastore }: Pick<Endpoint, 'datastore'>): ReturnType<typeof dialectOf> {
  return dialectOf(datastore.engine);
}
