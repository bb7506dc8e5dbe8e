import { inputError, type Problem } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';
import { refuseSchema, refuseTable } from '#connectors/datastore/destination.ts';
import { keyOfTable, nameOf, type ReadTable } from '#catalog/reads.ts';
import type { TableKind } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { TableName, Warehouse } from '#warehouse/warehouse.ts';
import type { PipelineDeps } from './deps.ts';
import { jobWriting } from './job-tables.ts';

/** Where a transformation writes. */
export interface Target {
  targetKind: TableKind;
  targetSchema: string;
  targetTable: string;
}

/** A transformation that is or would be made, for the questions of who writes what. */
export interface WriterAsk extends Target {
  id: string;
  name: string;
  projectId: string;
  datastore: { id: string; name: string; isDefault: boolean };
  database: string;
  warehouse: Pick<Warehouse, 'dialect'>;
  inputs: readonly TableName[];
}

const nameLengthMax = 128;

/** What is wrong with the names of a target. */
export function checkTargetNames({ targetSchema, targetTable }: Target): Problem[] {
  return [
    ...checkTargetName('schema', targetSchema, () => refuseSchema(targetSchema)),
    ...checkTargetName('table', targetTable, () => refuseTable(targetTable)),
  ];
}

function checkTargetName(field: 'schema' | 'table', name: string, refuse: () => void): Problem[] {
  const path = ['target', field];
  if (name.trim() === '') return [{ code: 'REQUIRED', path, message: `The target's ${field} is empty.` }];
  if (name.length > nameLengthMax) {
    const message = `The target's ${field} has ${name.length} characters; at most ${nameLengthMax} are allowed.`;
    return [{ code: 'INVALID', path, message }];
  }
  try {
    refuse();
    return [];
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return [{ code: 'INVALID', path, message: error.message, fix: `Choose another ${field}.` }];
  }
}

/** Fails with INVALID when the target exists and is of the other kind: making it would take it away from its readers. */
export async function checkTargetKind(
  warehouse: Warehouse,
  database: string,
  { targetKind, targetSchema, targetTable }: Target,
): Promise<void> {
  const [present] = await warehouse.tables([{ database, schema: targetSchema, name: targetTable }]);
  if (!present || present.kind === targetKind) return;
  const name = nameOf({ schema: targetSchema, name: targetTable });
  const message = `${name} is a ${present.kind} already, and cannot become a ${targetKind}.`;
  throw inputError('INVALID', ['target', 'kind'], message, 'Choose another table, or drop what is there.');
}

/**
 * Fails with IN_USE naming the job or transformation that writes the target already, and with INVALID naming the cycle
 * when the transformation would read what is made of it. To be asked while nothing of the datastore's transformations can
 * change.
 */
export async function checkWriters(
  deps: Pick<PipelineDeps, 'connectors'>,
  tx: Tx,
  ask: WriterAsk,
): Promise<void> {
  const others = await tx.transformation.findMany({
    where: { projectId: ask.projectId, datastoreId: ask.datastore.id, deletedAt: null, id: { not: ask.id } },
    select: {
      name: true,
      targetSchema: true,
      targetTable: true,
      inputs: { select: { table: { select: { database: true, schema: true, name: true } } } },
    },
    orderBy: { createdAt: 'asc' },
  });
  const writers = new Map(
    others.map((each) => {
      const { name, inputs } = each;
      return [keyOfTarget(ask, each), { name, inputs: inputs.map(({ table }) => table) }];
    }),
  );
  const own = keyOfTarget(ask, ask);
  const other = writers.get(own);
  if (other) throw inUse(ask, `the transformation "${other.name}"`);
  const job = await jobWriting(deps, tx, ask.projectId, {
    datastore: ask.datastore,
    ignoresCase: ask.warehouse.dialect.ignoresCase === true,
    schema: ask.targetSchema,
    table: ask.targetTable,
  });
  if (job !== undefined) throw inUse(ask, `the job "${job}"`);
  const cycle = cycleThrough(own, ask, writers);
  if (cycle === undefined) return;
  const names = [...cycle, ask.name].map((name) => `"${name}"`).join(' → ');
  const target = nameOf({ schema: ask.targetSchema, name: ask.targetTable });
  const message =
    cycle.length === 1
      ? `The transformation would read what it writes itself, ${target}.`
      : `The transformations would be made of each other: ${names}.`;
  throw inputError('INVALID', ['target'], message, 'Write another table, or read others.');
}

type Writers = ReadonlyMap<string, { name: string; inputs: readonly TableName[] }>;

/** The names on the way from the transformation up to itself, its own first; undefined when there is no such way. */
function cycleThrough(own: string, ask: WriterAsk, writers: Writers): string[] | undefined {
  const { name, inputs } = ask;
  const seen = new Set<string>();
  const wayUp = (tables: readonly TableName[]): string[] | undefined => {
    for (const table of tables) {
      const key = keyOf(ask, table);
      if (key === own) return [];
      const writer = writers.get(key);
      if (!writer || seen.has(key)) continue;
      seen.add(key);
      const rest = wayUp(writer.inputs);
      if (rest) return [...rest, writer.name];
    }
    return undefined;
  };
  const way = wayUp(inputs);
  return way && [name, ...way];
}

function keyOfTarget(
  ask: WriterAsk,
  { targetSchema, targetTable }: Pick<Target, 'targetSchema' | 'targetTable'>,
): string {
  return keyOf(ask, { database: ask.database, schema: targetSchema, name: targetTable });
}

/** Equal for names that the engine takes for one. */
function keyOf({ warehouse: { dialect } }: WriterAsk, table: TableName): string {
  const key = keyOfTable(table);
  return dialect.ignoresCase ? key.toLowerCase() : key;
}

function inUse({ targetSchema, targetTable }: Target, writer: string) {
  const name = nameOf({ schema: targetSchema, name: targetTable });
  return inputError(
    'IN_USE',
    ['target'],
    `The table ${name} is written by ${writer}.`,
    'Write another table, or delete that one first.',
  );
}

/** The transformation's inputs in the store are these from now on. */
export async function keepInputs(
  tx: Tx,
  transformationId: string,
  inputs: readonly ReadTable[],
): Promise<void> {
  await tx.transformationInput.deleteMany({
    where: { transformationId, tableId: { notIn: inputs.map(({ id }) => id) } },
  });
  await tx.transformationInput.createMany({
    data: inputs.map(({ id }) => ({ transformationId, tableId: id })),
    skipDuplicates: true,
  });
}
