import { createHash } from 'node:crypto';
import { messageOf } from '#base/errors.ts';
import type {
  ConnectorContext,
  Difference,
  FoundChanges,
  Json,
  Part,
  PlanFrom,
  StreamPlan,
} from '#connectors/contract.ts';
import { nameSql, sql } from '#warehouse/sql.ts';
import type { RunOptions, Warehouse } from '#warehouse/warehouse.ts';
import { compare, type Desk, type Found } from './compare-rows.ts';
import { movedColumns, refuseColumns } from './difference-columns.ts';
import { changeColumn, type Compared, ownSql } from './difference-sql.ts';
import { readFirst, stagedFirst } from './first-rows.ts';
import { keptBefore, tablesOf } from './kept.ts';
import { openMoment } from './moment.ts';
import { dropUnused, newNames, type Owner } from './own-tables.ts';
import type { Asked } from './plan-stream.ts';
import type { SourceColumn } from './relations.ts';

/** A comparison that is done: another attempt goes on from it. */
interface Done extends Found {
  of: string;
}

const deadlineMs = 6 * 3_600_000;

/**
 * Compares the stream with what was last published of it, inside the datastore: one statement makes a table of the changes,
 * from which both the rows that travel and what is remembered are taken, so that what is remembered is what has travelled
 * even while the stream is written to. A task that ends before its publish has changed nothing: the state names the
 * tables that count. Fails with SCHEMA for a key that is NULL or not unique, and with CONFIG when the role may not
 * keep tables.
 */
export async function planDifference(
  warehouse: Warehouse,
  asked: Asked & { difference: Difference },
  context: ConnectorContext,
): Promise<StreamPlan> {
  const { relation, columns, selection, from, difference } = asked;
  const compared: Compared = { dialect: warehouse.dialect, relation, columns, key: selection.primaryKey };
  refuseColumns(relation.what, columns, selection.primaryKey);
  const owner: Owner = { jobId: from.origin?.jobId ?? 'none', stream: selection };
  const tag = `task ${from.origin?.taskId ?? ''}`;
  const options: RunOptions = { signal: context.signal, deadlineMs, tag };
  const desk: Desk = { warehouse, options, compared };
  // What another attempt makes from now on is its own to drop.
  const there = await warehouse.ownTables(options);
  const before = keptBefore(compared, from.state, there, context);
  const of = digest([columns, selection.primaryKey, before]);
  const moved = movedColumns(columns, selection.primaryKey, difference);
  const names = newNames(owner);
  const resumed = doneBefore(from, of, there);
  const first = resumed || before ? null : await readFirst(desk, { names, moved, context });
  await using opening = new AsyncDisposableStack();
  if (first) opening.use(first);
  const done = resumed ?? { of, ...(first?.found ?? (await compare(desk, names, before))) };
  const drop = (tables: readonly string[], keep: readonly string[], of?: ConnectorContext['compared']) =>
    dropUnused(warehouse, owner, { tables, keep, compared: of, options });
  const counting = [...tablesOf(before), ...tablesOf(done.kept)];
  await drop(there, [...counting, ...changesOf(done)], context.compared).catch((error: unknown) => {
    context.signal.throwIfAborted();
    context.log('WARN', `What earlier tasks have left in the datastore stays for now: ${messageOf(error)}`);
  });
  const changes = countsOf(done);
  const moving = changes.added + changes.changed + (difference.mirrorRemovals ? changes.removed : 0n);
  const part =
    moving === 0n ? null : (first?.part ?? (await partOf(desk, done, { moved, opening, context })));
  const open = opening.move();
  return {
    columns: moved.map(({ dataType: _, ...column }) => column),
    parts: part ? [part] : [],
    estimatedRows: moving,
    resume: done as unknown as Json,
    nextState: { difference: done.kept as unknown as Json },
    ties: null,
    changes,
    async published() {
      // What still reads the changes would keep them from being dropped.
      await open.disposeAsync();
      await drop([...new Set([...there, ...changesOf(done)])], tablesOf(done.kept));
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The changes of a table, and of those that are gone nothing where no column says so. */
async function partOf(
  { warehouse, compared }: Desk,
  { changes, kept }: Done,
  use: { moved: readonly SourceColumn[]; opening: AsyncDisposableStack; context: ConnectorContext },
): Promise<Part> {
  const { moved, opening, context } = use;
  if (changes === null) return stagedFirst(kept.generation);
  const moment = opening.use(await openMoment(warehouse, context));
  return moment.part({
    id: changes,
    title: 'changes',
    what: `what has changed of ${compared.relation.what}`,
    from: ownSql(changes),
    where: moved.some((column) => column.marksRemoved) ? null : sql`${nameSql(changeColumn)} <> 'R'`,
    columns: moved,
  });
}

function digest(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 16);
}

/** What an earlier attempt of the task has found, if it is of the same and still there. */
function doneBefore({ resume, staged = [] }: PlanFrom, of: string, there: readonly string[]): Done | null {
  const done = resume as unknown as Done | null;
  if (!done?.kept || done.of !== of || !tablesOf(done.kept).every((name) => there.includes(name)))
    return null;
  const isThere =
    done.changes === null ? staged.includes(done.kept.generation) : there.includes(done.changes);
  return isThere ? done : null;
}

const changesOf = ({ changes }: Done) => (changes === null ? [] : [changes]);

function countsOf({ counts: { added, changed, removed } }: Done): FoundChanges {
  return { added: BigInt(added), changed: BigInt(changed), removed: BigInt(removed) };
}
