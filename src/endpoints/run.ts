import { AppError, inputError } from '#base/errors.ts';
import { sparing } from '#base/sparing.ts';
import { type Asker, askWarehouse, type CacheStatus, type FreshnessOf } from '#catalog/ask.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import type { Working } from '#catalog/meter.ts';
import { withoutAddress } from '#catalog/without-address.ts';
import { type Sql, toStatement } from '#warehouse/sql.ts';
import type { Answer } from '#warehouse/warehouse.ts';
import { alignRows } from './align.ts';
import { cursorOf, keyOfCursor } from './cursor.ts';
import type { ParamValues } from './read-params.ts';
import { dialectOfEndpoint, type Endpoint } from './served.ts';
import { hasNoKey, type PageEdge, pageOf, queryOf } from './statement.ts';

/** Which rows of a call are asked for. */
export interface EndpointPage {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export interface EndpointCall {
  values: ParamValues;
  page: EndpointPage;
}

/** What an endpoint answers. Shared by all who asked the same: not to be changed. */
export interface EndpointAnswer {
  /** In the order of the endpoint's columns. */
  rows: readonly unknown[][];
  /** Cursors of the rows beside the page; null where there are none. */
  after: string | null;
  before: string | null;
  /** Without pages: there are more rows than an answer may have. */
  truncated: boolean;
  cache: CacheStatus;
  freshness: FreshnessOf;
}

/** Asks the engine of an endpoint one question of so many rows. */
type Ask<Answered extends AskedRows> = (sql: Sql, rowsMax: number) => Promise<Answered>;
type AskedRows = Pick<Answer, 'columns' | 'rows' | 'truncated'>;

/**
 * Answers a call, from what is kept of an equal one where it can be. Fails with BAD_USER_INPUT for a page that cannot be
 * given, and as askWarehouse does.
 */
export async function callEndpoint(
  deps: CatalogDeps,
  asker: Asker,
  endpoint: Endpoint,
  call: EndpointCall,
): Promise<EndpointAnswer> {
  const { datastore, tableIds, timeoutMs, keep, name } = endpoint;
  const question = { datastore, tableIds, deadlineMs: timeoutMs, keep, operation: name };
  const { asked, ...page } = await answerBy(endpoint, call, (sql, rowsMax) =>
    askWarehouse(deps, asker, { ...question, sql, rowsMax }).catch((error: unknown) => {
      throw withoutRows(deps, asker, endpoint, error);
    }),
  );
  return { ...page, cache: asked.cache, freshness: asked.freshness };
}

/** What a call is answered, by whatever asks the engine; `asked` is what that gave. Fails as callEndpoint does. */
export async function answerBy<Answered extends AskedRows>(
  endpoint: Endpoint,
  { values, page }: EndpointCall,
  ask: Ask<Answered>,
): Promise<PageShape & { truncated: boolean; asked: Answered }> {
  const dialect = dialectOfEndpoint(endpoint);
  const query = queryOf(endpoint.prepared, values, dialect);
  const { pages } = endpoint;
  if (!pages) {
    refusePage(page);
    const asked = await ask(query, endpoint.rowsMax);
    return { rows: alignRows(endpoint, asked), truncated: asked.truncated, after: null, before: null, asked };
  }
  const { size, edge, isBack } = readPage(endpoint, page);
  const asked = await ask(pageOf(query, pages.key, edge, size, dialect), size + 1);
  // A page of wide rows has fewer than were asked for, where an answer has as many bytes as it may.
  const hasMore = asked.rows.length > size || asked.truncated;
  if (!hasMore && !isBack) {
    const { rows: without } = await ask(hasNoKey(query, pages.key), 1);
    if (without.length > 0) throw keyMissing(pages.key.map(({ name }) => name));
  }
  const read = alignRows(endpoint, asked);
  const about = { size, hasMore, isBack, isFirst: edge === null };
  const shaped = pageShapes.get(read) ?? shapePage(endpoint, read, about);
  pageShapes.set(read, shaped);
  return { ...shaped, truncated: false, asked };
}

type PageShape = Pick<EndpointAnswer, 'rows' | 'after' | 'before'>;

/** By the rows that are kept, so that equal calls are given the very same page. */
const pageShapes = new WeakMap<readonly unknown[][], PageShape>();

function shapePage(
  endpoint: Endpoint,
  read: readonly unknown[][],
  { size, hasMore, isBack, isFirst }: { size: number; hasMore: boolean; isBack: boolean; isFirst: boolean },
): PageShape {
  const rows = read.slice(0, size);
  if (isBack) rows.reverse();
  const cursor = (row: readonly unknown[] | undefined) =>
    row === undefined ? null : cursorAt(endpoint, row);
  return {
    rows,
    after: (isBack ? !isFirst : hasMore) ? cursor(rows.at(-1)) : null,
    before: (isBack ? hasMore : !isFirst) ? cursor(rows[0]) : null,
  };
}

/** The cursor of a row of an endpoint with pages; null where its key is. */
export function cursorAt({ pages, columns }: Endpoint, row: readonly unknown[]): string | null {
  const { key } = pages!;
  const values = key.map(({ name }) => row[columns.findIndex((column) => column.name === name)]);
  return cursorOf(key, values);
}

function refusePage(page: EndpointPage): void {
  for (const name of ['first', 'after', 'last', 'before'] as const) {
    if (page[name] == null) continue;
    throw inputError('INVALID', [name], `${name}: the endpoint has no pages.`, `Leave ${name} out.`);
  }
}

function readPage(
  { pages }: Endpoint,
  { first, after, last, before }: EndpointPage,
): { size: number; edge: PageEdge | null; isBack: boolean } {
  const { key, size, sizeMax } = pages!;
  const isBack = last != null || before != null;
  if (isBack && (first != null || after != null)) {
    const fix = 'Use first with after to go forward, or last with before to go backward.';
    throw inputError('INVALID', ['last'], 'first and after exclude last and before.', fix);
  }
  if (last != null && before == null) {
    throw inputError('REQUIRED', ['before'], 'last needs before.', 'Give the cursor that the page ends at.');
  }
  const asked = first ?? last ?? size;
  if (!Number.isInteger(asked) || asked < 1 || asked > sizeMax) {
    const name = isBack ? 'last' : 'first';
    const message = `${name}: ${asked} is not a page size: 1 to ${sizeMax} are allowed.`;
    const fix = `Ask for at most ${sizeMax} and go on with the cursors of the answer.`;
    throw inputError('INVALID', [name], message, fix);
  }
  const side = isBack ? 'before' : 'after';
  const cursor = isBack ? before : after;
  const edge = cursor == null ? null : ({ side, key: keyOfCursor(key, side, cursor) } as const);
  return { size: asked, edge, isBack };
}

function keyMissing(names: readonly string[]): AppError {
  return new AppError('BAD_USER_INPUT', `A row has no ${names.join(', ')}: it can be on no page.`, {
    fix: 'Whoever owns the endpoint can leave such rows out of its query, or name other columns in pagination.key.',
  });
}

/** Some rows of a stream. */
export interface RowsPiece {
  rows: readonly unknown[][];
  /** It is the last, and there are more rows than an answer may have. */
  truncated: boolean;
}

/**
 * All rows of a call, as the engine gives them, in bounded memory and past what is kept. Pages do not count; rows beyond
 * the endpoint's limit are left out, of which the last piece tells. Fails as Warehouse.stream does.
 */
export async function* streamEndpoint(
  deps: CatalogDeps,
  asker: Asker,
  endpoint: Endpoint,
  values: ParamValues,
): AsyncGenerator<RowsPiece, void> {
  const { datastore, timeoutMs, rowsMax, prepared } = endpoint;
  const dialect = dialectOfEndpoint(endpoint);
  const statement = toStatement(queryOf(prepared, values, dialect), dialect);
  const { warehouse } = await withoutAddress(datastore, () =>
    deps.datastores.open(asker.projectId, datastore.name),
  ).catch((error: unknown) => {
    throw withoutRows(deps, asker, endpoint, error);
  });
  async function* tellingNoRows<Piece>(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece, void> {
    try {
      yield* pieces;
    } catch (error) {
      throw withoutRows(deps, asker, endpoint, error);
    }
  }
  let left = rowsMax;
  const options = { signal: asker.signal, deadlineMs: timeoutMs, tag: `${asker.requestId} ${endpoint.name}` };
  const pieces = whileWaitedFor(asker.working, (started) =>
    warehouse.stream(statement, { ...options, started }),
  );
  for await (const piece of tellingNoRows(pieces)) {
    const rows = alignRows(endpoint, piece);
    if (rows.length > left) {
      yield { rows: rows.slice(0, left), truncated: true };
      return;
    }
    left -= rows.length;
    yield { rows, truncated: false };
  }
}

/** A stream, where the datastore works while a piece is waited for: a reader who is slow costs it nothing. */
async function* whileWaitedFor<Piece>(
  working: Working | undefined,
  open: (started: () => void) => AsyncIterable<Piece>,
): AsyncGenerator<Piece, void> {
  let isStarted = false;
  let ended: (() => void) | undefined;
  const work = () => {
    isStarted = true;
    ended = working?.();
  };
  const rest = () => {
    ended?.();
    ended = undefined;
  };
  const pieces = open(work)[Symbol.asyncIterator]();
  try {
    for (;;) {
      if (isStarted) work();
      const { done, value } = await pieces.next().finally(rest);
      if (done) return;
      yield value;
    }
  } finally {
    await pieces.return?.();
  }
}

/**
 * An engine that refuses a value says which, and it may be one of a row that the endpoint does not give; one that is in trouble
 * says where it lies and what it runs on. That is for the log alone.
 */
function withoutRows(
  { log }: CatalogDeps,
  { requestId }: Asker,
  { id, name }: Endpoint,
  error: unknown,
): unknown {
  if (!(error instanceof AppError)) return error;
  const isRefused = error.code === 'BAD_USER_INPUT';
  if (!isRefused && error.code !== 'WAREHOUSE_UNAVAILABLE') return error;
  const happened = isRefused
    ? 'The query of an endpoint failed.'
    : 'The datastore of an endpoint does not answer.';
  sparing(log).warn(id, happened, { endpoint: name, requestId, error });
  const owner = 'whoever owns the endpoint finds the reason in the log, by its name.';
  return isRefused
    ? new AppError('BAD_USER_INPUT', `The query of "${name}" fails with these parameters.`, {
        fix: `Check them; ${owner}`,
        cause: error,
      })
    : new AppError('WAREHOUSE_UNAVAILABLE', `The datastore of "${name}" cannot answer now.`, {
        fix: `Try again in a moment; when it goes on, ${owner}`,
        cause: error,
      });
}
