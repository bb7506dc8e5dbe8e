import { createHash } from 'node:crypto';
import { AppError, messageOf } from '#base/errors.ts';
import {
  type ConnectorContext,
  ConnectorError,
  type Difference,
  type FoundChanges,
  type Json,
  type StreamPlan,
} from '#connectors/contract.ts';
import { nameSql, type Sql, sql, toStatement } from '#warehouse/sql.ts';
import type { RunOptions, Warehouse } from '#warehouse/warehouse.ts';
import {
  changeColumn,
  changesSql,
  type Compared,
  countSql,
  generationSql,
  nullKeysSql,
  ownSql,
  twinsOfChangesSql,
  twinsOfStreamSql,
} from './difference-sql.ts';
import { movedColumns, refuseColumns } from './difference-columns.ts';
import { openMoment } from './moment.ts';
import { dropUnused, newNames, type Owner } from './own-tables.ts';
import type { Asked } from './plan-stream.ts';

/** What a publish leaves for the next run. */
interface Kept {
  /** The table that holds key and hash of every row as published. */
  generation: string;
  /** What its keys are: others cannot be compared with it. */
  key: string;
}

/** A comparison that is done: another attempt reads its changes. */
interface Done {
  of: string;
  changes: string;
  generation: string;
  counts: { added: string; changed: string; removed: string };
}

const deadlineMs = 6 * 3_600_000;

/**
 * Compares the stream with what was last published of it, inside the datastore: one statement makes a table of the changes,
 * from which both the rows that travel and the next generation are taken, so that what is remembered is what has travelled
 * even while the stream is written to. A task that ends before its publish has changed nothing: the state names the
 * generation that counts. Fails with SCHEMA for a key that is NULL or not unique, and with CONFIG when the role may not
 * keep tables.
 */
export async function planDifference(
  warehouse: Warehouse,
  asked: Asked & { difference: Difference },
  context: ConnectorContext,
): Promise<StreamPlan> {
  const { relation, columns, selection, from, difference } = asked;
  const compared: Compared = { relation, columns, key: selection.primaryKey };
  refuseColumns(relation.what, columns, selection.primaryKey);
  const owner: Owner = { jobId: from.origin?.jobId ?? 'none', stream: selection };
  const options: RunOptions = {
    signal: context.signal,
    deadlineMs,
    tag: `task ${from.origin?.taskId ?? ''}`,
  };
  const desk: Desk = { warehouse, options, compared };
  const before = await generationBefore(desk, from.state, context);
  const of = digest([columns, selection.primaryKey, before]);
  const done = (await resumed(desk, from.resume, of)) ?? (await compare(desk, { owner, before, of }));
  const keep = [done.generation, done.changes, ...(before === null ? [] : [before])];
  await dropUnused(warehouse, owner, { keep, compared: context.compared, options }).catch(
    (error: unknown) => {
      context.signal.throwIfAborted();
      context.log('WARN', `What earlier tasks have left in the datastore stays for now: ${messageOf(error)}`);
    },
  );
  const changes = countsOf(done);
  const moving = changes.added + changes.changed + (difference.mirrorRemovals ? changes.removed : 0n);
  const isSame = changes.added + changes.changed + changes.removed === 0n;
  const generation = isSame && before !== null ? before : done.generation;
  const moved = movedColumns(columns, selection.primaryKey, difference);
  const moment = await openMoment(warehouse, context);
  const part = moment.part({
    id: done.changes,
    title: 'changes',
    what: `what has changed of ${relation.what}`,
    from: ownSql(done.changes),
    where: difference.mirrorRemovals ? null : sql`${nameSql(changeColumn)} <> 'R'`,
    columns: moved,
  });
  return {
    columns: moved.map(({ dataType: _, ...column }) => column),
    parts: moving === 0n ? [] : [part],
    estimatedRows: moving,
    resume: done as unknown as Json,
    nextState: { difference: { generation, key: keyOf(compared) } } satisfies { difference: Kept & Json },
    ties: null,
    changes,
    async published() {
      // What still reads the changes would keep them from being dropped.
      await moment[Symbol.asyncDispose]();
      await dropUnused(warehouse, owner, { keep: [generation], compared: undefined, options });
    },
    [Symbol.asyncDispose]: () => moment[Symbol.asyncDispose](),
  };
}

/** What the statements of one plan share. */
interface Desk {
  warehouse: Warehouse;
  options: RunOptions;
  compared: Compared;
}

function digest(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 16);
}

/** Keys of other columns, or of columns of another type, are other keys. */
function keyOf({ columns, key }: Compared): string {
  return digest(key.map((name) => [name, columns.find((column) => column.name === name)?.dataType]));
}

/** The generation that was published last; null when there is none to compare with, which is said. */
async function generationBefore(
  { warehouse, options, compared }: Desk,
  state: Json | null,
  context: ConnectorContext,
): Promise<string | null> {
  const kept = keptIn(state);
  if (kept === null) return null;
  const what = compared.relation.what;
  if (kept.key !== keyOf(compared)) {
    context.log(
      'WARN',
      `The key of ${what} has changed its type: every row counts as added, and rows that are gone are not found.`,
    );
    return null;
  }
  if ((await warehouse.ownTables(options)).includes(kept.generation)) return kept.generation;
  context.log(
    'WARN',
    `What was remembered of ${what} is no longer in its datastore: every row counts as added, and rows that are gone are not found.`,
  );
  return null;
}

function keptIn(state: Json | null): Kept | null {
  const kept = objectOf(objectOf(state)?.difference ?? null);
  if (typeof kept?.generation !== 'string' || typeof kept.key !== 'string') return null;
  return { generation: kept.generation, key: kept.key };
}

function objectOf(json: Json | null): { [name: string]: Json } | null {
  return json !== null && typeof json === 'object' && !Array.isArray(json) ? json : null;
}

/** What an earlier attempt of the task has found, if it is of the same and still there. */
async function resumed({ warehouse, options }: Desk, resume: Json | null, of: string): Promise<Done | null> {
  const done = objectOf(resume);
  if (done?.of !== of) return null;
  const tables = await warehouse.ownTables(options);
  const all = done as unknown as Done;
  return tables.includes(all.changes) && tables.includes(all.generation) ? all : null;
}

async function compare(
  desk: Desk,
  { owner, before, of }: { owner: Owner; before: string | null; of: string },
): Promise<Done> {
  const { warehouse, options, compared } = desk;
  const { dialect } = warehouse;
  const names = newNames(owner);
  const write = (name: string, select: Sql) =>
    warehouse.writeOwn(name, toStatement(select, dialect), options);
  try {
    await write(names.changes, changesSql(dialect, compared, before));
    const found = await rowsOf(desk, countSql(names.changes));
    const counts = new Map((found as [string, bigint][]).map(([kind, count]) => [kind, String(count)]));
    const count = (kind: string) => counts.get(kind) ?? '0';
    await refuseKeys(desk, names.changes, count('C') !== '0');
    // The old one stays as it is where nothing has changed.
    const isSame = counts.size === 0 && before !== null;
    if (!isSame) await write(names.generation, generationSql(compared, names.changes, before));
    const generation = isSame ? before : names.generation;
    const told = { added: count('A'), changed: count('C'), removed: count('R') };
    return { of, changes: names.changes, generation, counts: told };
  } catch (error) {
    await warehouse
      .dropOwn(names.changes, { ...options, signal: AbortSignal.timeout(30_000) })
      .catch(() => undefined);
    options.signal?.throwIfAborted();
    throw refused(error, compared.relation.what);
  }
}

function countsOf({ counts: { added, changed, removed } }: Done): FoundChanges {
  return { added: BigInt(added), changed: BigInt(changed), removed: BigInt(removed) };
}

async function rowsOf({ warehouse, options }: Desk, question: Sql): Promise<unknown[][]> {
  return (await warehouse.run(toStatement(question, warehouse.dialect), options)).rows;
}

/** What is not told apart by its key cannot be compared. */
async function refuseKeys(desk: Desk, changes: string, hasChanged: boolean): Promise<void> {
  const { relation, key } = desk.compared;
  const named = key.join(', ');
  const nulls = await rowsOf(desk, nullKeysSql(desk.compared, changes));
  if (nulls.length > 0) {
    throw new ConnectorError(
      'SCHEMA',
      `Rows of ${relation.what} have NULL in their key (${named}), such as ${said(nulls)}: they could never be recognised.`,
      { fix: 'Choose a primaryKey that is never NULL, or read with FULL_REFRESH.' },
    );
  }
  const isEnforced = relation.hasEnforcedKey && relation.primaryKey.every((name) => key.includes(name));
  if (isEnforced) return;
  const ofChanges = await rowsOf(desk, twinsOfChangesSql(desk.compared, changes));
  const twins =
    ofChanges.length === 0 && hasChanged
      ? await rowsOf(desk, twinsOfStreamSql(desk.compared, changes))
      : ofChanges;
  if (twins.length === 0) return;
  throw new ConnectorError(
    'SCHEMA',
    `Several rows of ${relation.what} have one key (${named}), such as ${said(twins)}.`,
    { fix: 'Choose a primaryKey that tells all rows apart, or read with FULL_REFRESH.' },
  );
}

/** Keys for people: "(1, NULL)". */
function said(keys: readonly unknown[][]): string {
  const valueOf = (value: unknown) => {
    if (value === null) return 'NULL';
    return typeof value === 'object' ? JSON.stringify(value) : `${value as bigint}`;
  };
  return keys.map((key) => `(${key.map(valueOf).join(', ')})`).join(', ');
}

function refused(error: unknown, what: string): unknown {
  if (!(error instanceof AppError)) return error;
  if (
    /permission denied|not authorized|insufficient privilege|access denied|PERMISSION_DENIED/i.test(
      error.message,
    )
  ) {
    return new ConnectorError(
      'CONFIG',
      `The datastore does not let a difference of ${what} keep what it remembers: ${error.message}`,
      {
        fix: 'Let the role make the schema "_sluice", or make it and let the role make tables there (PostgreSQL: CREATE SCHEMA _sluice AUTHORIZATION its role); or read with FULL_REFRESH or by a cursor, which need no grant but SELECT.',
        cause: error,
      },
    );
  }
  if (error.code === 'BAD_USER_INPUT') {
    return new ConnectorError('SOURCE', `${what} could not be compared: ${error.message}`, {
      fix: 'Leave columns out with selectedColumns that the datastore cannot write as text.',
      cause: error,
    });
  }
  if (error.code === 'CONFLICT' || error.code === 'WAREHOUSE_UNAVAILABLE') {
    const fix = error.fix === undefined ? {} : { fix: error.fix };
    return new ConnectorError('TRANSIENT', error.message, { ...fix, cause: error });
  }
  return error;
}
