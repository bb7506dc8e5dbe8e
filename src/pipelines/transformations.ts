import { checkName, nameTaken, uniquely } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { checkTiming, nextRun, type ScheduleInput } from '#base/schedule.ts';
import { Prisma, type Transformation } from '#generated/prisma/client.ts';
import type { TableKind } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import { cancelInTx } from './cancel-task.ts';
import { checkTargetKind, checkTargetNames, checkWriters, keepInputs } from './check-target.ts';
import type { PipelineDeps } from './deps.ts';
import { checkFormula, type Formula } from './formula.ts';
import { liveStatuses } from './task-state.ts';
import { transformationSelect, type TransformationSelect } from './transformation-select.ts';

export interface UpsertTransformationInput {
  /** The transformation to change; without it, the one of that name, or a new one. */
  id?: string | null | undefined;
  name?: string | null | undefined;
  /** Null takes the words away. */
  description?: string | null | undefined;
  /** The default warehouse without it. */
  datastoreId?: string | null | undefined;
  sql?: string | null | undefined;
  formula?: Formula | null | undefined;
  target?: { kind?: TableKind | null | undefined; schema: string; table: string } | null | undefined;
  /** Null takes the schedule away. */
  schedule?: ScheduleInput | null | undefined;
  /** False without it. */
  runAfterInputs?: boolean | null | undefined;
  /** True without it. */
  active?: boolean | null | undefined;
  expectedRevision?: number | null | undefined;
  idempotencyKey?: string | null | undefined;
}

const sqlLengthMax = 100_000;
const descriptionLengthMax = 10_000;

/** The datastore that it reads and writes. */
interface Where {
  id: string;
  name: string;
  isDefault: boolean;
}
const whereSelect = { id: true, name: true, isDefault: true } as const;

/** What a transformation is to be, with what the input leaves out as it was. */
type Wanted = Pick<
  Transformation,
  | 'name'
  | 'description'
  | 'sql'
  | 'targetKind'
  | 'targetSchema'
  | 'targetTable'
  | 'runAfterInputs'
  | 'active'
  | 'cron'
  | 'timeZone'
> & { formula: Formula | null; datastore: Where };

/**
 * Changes the transformation of that id or name, under the next revision, or makes a new one. What is left out stays as
 * it was; a task that runs goes on as it began. Fails with NOT_FOUND, CONFLICT, IN_USE, or every problem at once.
 */
export async function upsertTransformation(
  deps: PipelineDeps,
  viewer: Viewer,
  input: UpsertTransformationInput,
): Promise<Transformation> {
  const { db } = deps.store;
  const before = await findBefore(deps, viewer, input);
  if (before) checkRevision(before, input.expectedRevision, 'transformation');
  else if (input.expectedRevision != null) {
    const message = `There is no transformation "${input.name}" to have revision ${input.expectedRevision}.`;
    throw inputError('CONFLICT', ['expectedRevision'], message, 'Leave it out to make a new one.');
  }
  const { wanted, problems } = await whatIsWanted(deps, viewer, input, before);
  if (problems.length > 0) throw new InputError(problems);
  const made = isRewritten(input, before) ? await checkWithEngine(deps, viewer, wanted) : null;

  const write = async (tx: Tx): Promise<{ id: string }> => {
    await lockDatastore(tx, viewer, wanted.datastore.id);
    const id = before?.id ?? newId();
    await nameTaken(tx, 'transformation', viewer, { id, name: wanted.name });
    if (made) {
      const { projectId } = viewer;
      await checkWriters(deps, tx, { ...wanted, ...made, id, projectId });
    }
    if (before) await change(deps, tx, viewer, before, wanted);
    else await create(deps, tx, viewer, id, wanted);
    if (made) await keepInputs(tx, id, made.inputs);
    return { id };
  };
  const ask = { projectId: viewer.projectId, operation: 'upsertTransformation', input };
  const { id } = await uniquely('transformation', wanted.name, () =>
    db.$transaction((tx) => once(tx, { ...ask, key: input.idempotencyKey }, () => write(tx))),
  );
  return db.transformation.findUniqueOrThrow({ where: { id } });
}

/**
 * Deletes a transformation softly and cancels the task it may have running. Its tasks and the table that it wrote stay.
 * Fails with NOT_FOUND.
 */
export async function deleteTransformation(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  return deps.store.db.$transaction(async (tx) => {
    const now = deps.now();
    const { count } = await tx.transformation.updateMany({
      where: { id: input.id, ...visible(viewer) },
      data: { deletedAt: now, nextRunAt: null, updatedAt: now, updatedById: viewer.memberId },
    });
    if (count === 0) throw notFound();
    const live = await tx.task.findFirst({
      where: {
        transformationId: input.id,
        projectId: viewer.projectId,
        status: { in: [...liveStatuses] },
      },
    });
    if (live) await cancelInTx(deps, tx, live.id, 'The transformation was deleted: this task is canceled.');
    return { id: input.id };
  });
}

type Before = Transformation & { datastore: Where };

async function findBefore(
  deps: PipelineDeps,
  viewer: Viewer,
  { id, name }: UpsertTransformationInput,
): Promise<Before | null> {
  if (id == null && name == null) {
    throw inputError('REQUIRED', ['name'], 'Neither id nor name is given.', 'Give the name of a new one.');
  }
  const row = await deps.store.db.transformation.findFirst({
    where: { ...visible(viewer), ...(id == null ? { name: name!.trim() } : { id }) },
    include: { datastore: { select: whereSelect } },
  });
  if (!row && id != null) throw notFound();
  return row;
}

function notFound(): InputError {
  return inputError('NOT_FOUND', ['id'], 'There is no such transformation.');
}

/** Whether what it reads or writes may be another now: else its engine need not be asked, nor even be there. */
function isRewritten(input: UpsertTransformationInput, before: Before | null): boolean {
  const { datastoreId, sql, formula, target } = input;
  return !before || [datastoreId, sql, formula, target].some((each) => each != null);
}

async function whatIsWanted(
  deps: PipelineDeps,
  viewer: Viewer,
  input: UpsertTransformationInput,
  before: Before | null,
): Promise<{ wanted: Wanted; problems: Problem[] }> {
  const { name, problems } = checkName(input.name ?? before?.name ?? '', 'transformation');
  const timing =
    input.schedule === undefined && before
      ? { cron: before.cron, timeZone: before.timeZone }
      : checkTiming(input.schedule, problems);
  const wanted = {
    name,
    ...timing,
    ...madeOf(input, before, problems),
    ...targetOf(input, before, problems),
    description: input.description === undefined ? (before?.description ?? null) : input.description,
    runAfterInputs: input.runAfterInputs ?? before?.runAfterInputs ?? false,
    active: input.active ?? before?.active ?? true,
  };
  if (wanted.description !== null && wanted.description.length > descriptionLengthMax) {
    const message = `The description has ${wanted.description.length} characters; at most ${descriptionLengthMax} are allowed.`;
    problems.push({ code: 'INVALID', path: ['description'], message });
  }
  const datastore = await datastoreOf(deps, viewer, input, before);
  if (datastore) return { wanted: { ...wanted, datastore }, problems };
  const message = 'There is no such datastore in this project.';
  const fix = 'List them with the query datastores.';
  throw new InputError([...problems, { code: 'NOT_FOUND', path: ['datastoreId'], message, fix }]);
}

async function datastoreOf(
  deps: PipelineDeps,
  viewer: Viewer,
  { datastoreId }: UpsertTransformationInput,
  before: Before | null,
): Promise<Where | null> {
  if (datastoreId == null && before) return before.datastore;
  return deps.store.db.datastore.findFirst({
    where: { ...visible(viewer), ...(datastoreId == null ? { isDefault: true } : { id: datastoreId }) },
    select: whereSelect,
  });
}

/** One of sql and formula; the one that is given takes the place of the other. */
function madeOf(
  { sql, formula }: UpsertTransformationInput,
  before: Before | null,
  problems: Problem[],
): { sql: string | null; formula: Formula | null } {
  if (sql != null && formula != null) {
    const message = 'Both sql and formula are given: a transformation has one of them.';
    problems.push({ code: 'INVALID', path: ['formula'], message, fix: 'Leave one of them out.' });
  } else if (sql == null && formula == null && !before) {
    const message = 'Neither sql nor formula is given.';
    problems.push({ code: 'REQUIRED', path: ['sql'], message, fix: 'Give a SELECT, or a formula.' });
  }
  if (formula != null) {
    problems.push(...checkFormula(formula));
    return { sql: null, formula };
  }
  if (sql == null) return { sql: before?.sql ?? null, formula: (before?.formula ?? null) as Formula | null };
  const select = sql.trim().replace(/(\s*;)+$/, '');
  if (select === '') problems.push({ code: 'REQUIRED', path: ['sql'], message: 'The SELECT is empty.' });
  if (select.length > sqlLengthMax) {
    const message = `The SELECT has ${select.length} characters; at most ${sqlLengthMax} are allowed.`;
    problems.push({ code: 'INVALID', path: ['sql'], message });
  }
  return { sql: select, formula: null };
}

function targetOf(
  { target }: UpsertTransformationInput,
  before: Before | null,
  problems: Problem[],
): Pick<Transformation, 'targetKind' | 'targetSchema' | 'targetTable'> {
  if (target != null) {
    const targetKind = target.kind ?? before?.targetKind ?? 'TABLE';
    const asked = { targetKind, targetSchema: target.schema.trim(), targetTable: target.table.trim() };
    problems.push(...checkTargetNames(asked));
    return asked;
  }
  if (before) {
    const { targetKind, targetSchema, targetTable } = before;
    return { targetKind, targetSchema, targetTable };
  }
  const message = 'There is no target: the table or view to write.';
  const fix = 'Give its schema and table, such as { schema: "analytics", table: "daily_users" }.';
  problems.push({ code: 'REQUIRED', path: ['target'], message, fix });
  return { targetKind: 'TABLE', targetSchema: '', targetTable: '' };
}

async function checkWithEngine(
  deps: PipelineDeps,
  viewer: Viewer,
  wanted: Wanted,
): Promise<TransformationSelect> {
  const made = await transformationSelect(deps, { ...wanted, projectId: viewer.projectId });
  await checkTargetKind(made.warehouse, made.database, wanted);
  return made;
}

/** One change of a datastore's transformations at a time, so that no two make a cycle or write one table. */
async function lockDatastore(tx: Tx, viewer: Viewer, id: string): Promise<void> {
  await tx.$queryRaw`
    SELECT 1 FROM datastore WHERE id = ${id}::uuid AND project_id = ${viewer.projectId}::uuid
    FOR NO KEY UPDATE`;
}

function columnsOf({ datastore, formula, ...wanted }: Wanted) {
  return {
    name: wanted.name,
    description: wanted.description,
    sql: wanted.sql,
    formula: formula === null ? Prisma.DbNull : (formula as unknown as Prisma.InputJsonObject),
    targetKind: wanted.targetKind,
    targetSchema: wanted.targetSchema,
    targetTable: wanted.targetTable,
    runAfterInputs: wanted.runAfterInputs,
    active: wanted.active,
    cron: wanted.cron,
    timeZone: wanted.timeZone,
    datastoreId: datastore.id,
  };
}

async function create(deps: PipelineDeps, tx: Tx, viewer: Viewer, id: string, wanted: Wanted): Promise<void> {
  const now = deps.now();
  await tx.transformation.create({
    data: {
      ...columnsOf(wanted),
      id,
      projectId: viewer.projectId,
      nextRunAt: nextRun(wanted, now),
      createdAt: now,
      updatedAt: now,
      createdById: viewer.memberId,
      updatedById: viewer.memberId,
    },
  });
}

async function change(
  deps: PipelineDeps,
  tx: Tx,
  viewer: Viewer,
  before: Before,
  wanted: Wanted,
): Promise<void> {
  const now = deps.now();
  const isRetimed = (['active', 'cron', 'timeZone'] as const).some((each) => wanted[each] !== before[each]);
  const { count } = await tx.transformation.updateMany({
    where: { id: before.id, ...visible(viewer), revision: before.revision },
    data: {
      ...columnsOf(wanted),
      // Else it is the schedule's own, which may be starting a task right now.
      ...(isRetimed ? { nextRunAt: nextRun(wanted, now) } : {}),
      revision: before.revision + 1,
      updatedAt: now,
      updatedById: viewer.memberId,
    },
  });
  if (count === 0) {
    const now = await tx.transformation.findFirst({ where: { id: before.id, ...visible(viewer) } });
    if (!now) throw notFound();
    checkRevision(now, before.revision, 'transformation');
  }
  const isMoved = (['targetSchema', 'targetTable'] as const).some((each) => wanted[each] !== before[each]);
  // The table that it has written so far is not fed by it any more.
  if (isMoved || wanted.datastore.id !== before.datastoreId) {
    await tx.tableFeed.deleteMany({ where: { transformationId: before.id } });
  }
}
