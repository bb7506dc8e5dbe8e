import { AppError, InputError, inputError, type Problem } from '#base/errors.ts';
import { loadMappings } from '#catalog/mappings.ts';
import { keyOfTable, nameOf, type ReadTable, takeReads, unknownReads } from '#catalog/reads.ts';
import { entitySource } from '#catalog/row-source.ts';
import { toText } from '#warehouse/sql.ts';
import type { ResultColumn, RunOptions, TableName, Warehouse } from '#warehouse/warehouse.ts';
import type { PipelineDeps } from './deps.ts';
import { entitySelect, type Formula, formulaSelect } from './formula.ts';

/** Where a transformation stands and what it is made of: exactly one of sql and formula. */
export interface TransformationAsk {
  projectId: string;
  datastore: { id: string; name: string };
  sql: string | null;
  formula: Formula | null;
}

export interface TransformationSelect {
  warehouse: Warehouse;
  /** The database that targets of the datastore lie in. */
  database: string;
  select: string;
  columns: ResultColumn[];
  inputs: ReadTable[];
}

/**
 * The SELECT of a transformation as its engine understands it now, with the tables that it reads: those the catalog did
 * not know are taken into it. Nothing is run. Fails with InputError when the engine refuses it, in the engine's words.
 */
export async function transformationSelect(
  deps: PipelineDeps,
  ask: TransformationAsk,
  options: RunOptions = {},
): Promise<TransformationSelect> {
  const { warehouse } = await deps.datastores.open(ask.projectId, ask.datastore.name);
  const select = ask.formula ? await selectOfFormula(deps, ask, warehouse, options) : (ask.sql ?? '');
  const path = ask.formula ? ['formula'] : ['sql'];
  const { columns, reads } = await refusedAt(path, () => warehouse.describe(select, options));
  const names = columns.map((column) => column.name);
  const inputs = await takeReads(deps, ask, warehouse, reads, options);
  const problems = [...checkColumns(names, path), ...unknownReads(reads, inputs, path)];
  if (problems.length > 0) throw new InputError(problems);
  const [[database]] = (await warehouse.run({ sql: 'SELECT current_database()' }, options)).rows as [
    [string],
  ];
  return { warehouse, database, select, columns, inputs };
}

/** Fails at the expression that is to blame, when one of them cannot be computed alone or reads anything else. */
async function selectOfFormula(
  deps: PipelineDeps,
  { projectId, datastore, formula }: TransformationAsk,
  warehouse: Warehouse,
  options: RunOptions,
): Promise<string> {
  const { entity, columns } = formula!;
  const from = await refusedAt(['formula', 'entity'], async () => {
    const mappings = await loadMappings(deps.store.db, projectId);
    const { name, id } = entitySource(mappings, entity, warehouse.dialect).datastore;
    if (id === datastore.id) return entitySelect(mappings, entity, warehouse.dialect);
    const message = `${entity} lies in the datastore "${name}", not in "${datastore.name}".`;
    throw new AppError('BAD_USER_INPUT', message, { fix: `Make the table in "${name}".` });
  });
  const select = formulaSelect(from, columns, warehouse.dialect);
  const own = await warehouse.describe(toText(from, warehouse.dialect), options);
  const all = await warehouse.describe(select, options).catch(() => null);
  if (all && isWithin(all.reads, own.reads) && all.columns.length === columns.length + 1) return select;
  for (const [index, column] of columns.entries()) {
    const path = ['formula', 'columns', String(index), 'expression'];
    const alone = formulaSelect(from, [column], warehouse.dialect);
    const { reads } = await refusedAt(path, () => warehouse.describe(alone, options));
    if (isWithin(reads, own.reads)) continue;
    const message = `The column "${column.name}" reads more than its entity: ${reads.map(nameOf).join(', ')}.`;
    throw inputError('INVALID', path, message, 'Write a transformation with sql instead.');
  }
  return select;
}

function isWithin(reads: readonly TableName[], own: readonly TableName[]): boolean {
  const known = new Set(own.map(keyOfTable));
  return reads.every((table) => known.has(keyOfTable(table)));
}

/** What the engine or the catalog refuses, as a problem of that part of the input. */
async function refusedAt<T>(path: readonly string[], ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BAD_USER_INPUT' || error instanceof InputError)
      throw error;
    // Around an expression stands a SELECT that nobody wrote: where in it something is wrong says nothing to anybody.
    const message = path[0] === 'formula' ? error.message.replace(/\s+LINE \d+:.*$/s, '') : error.message;
    throw new InputError([{ code: 'INVALID', path, message, fix: error.fix }]);
  }
}

function checkColumns(names: readonly string[], path: readonly string[]): Problem[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of names) {
    const key = name.toLowerCase();
    if (seen.has(key)) twice.add(name);
    seen.add(key);
  }
  return [...twice].map((name) => ({
    code: 'INVALID',
    path,
    message: `Two columns are named "${name}": a table tells its columns apart by name.`,
    fix: 'Give one of them another name with AS.',
  }));
}
