import { AppError, InputError, type Problem } from '#base/errors.ts';
import { takeReads, unknownReads } from '#catalog/reads.ts';
import { ConnectorError } from '#connectors/contract.ts';
import type { Datastore } from '#generated/prisma/client.ts';
import { toStatement, toText } from '#warehouse/sql.ts';
import type { RunOptions, TableName, Warehouse } from '#warehouse/warehouse.ts';
import { canOrder } from './cursor.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { collisions, graphqlName } from './names.ts';
import { paramsOfJson } from './read-params.ts';
import type { ServedColumn, ServedRecord } from './served.ts';
import { emptyQuery, prepare, queryOf } from './statement.ts';

/**
 * What a declaration answers and reads, in the engine's own words, without running it. Fails with InputError when the engine
 * refuses the query, when it is anything but one SELECT over tables of the datastore, and when its columns cannot be served;
 * with WAREHOUSE_UNAVAILABLE when the engine is not there.
 */
export async function describeEndpoint(
  deps: Pick<EndpointDeps, 'store' | 'catalog' | 'now'>,
  projectId: string,
  declaration: Declaration,
  options: RunOptions = {},
): Promise<ServedRecord> {
  const { datastore, warehouse } = await openDatastore(deps, projectId, declaration);
  const { columns, reads } = await describeQuery(warehouse, declaration, options);
  const tables =
    reads.length === 0 ? [] : await takeReads(deps, { projectId, datastore }, warehouse, reads, options);
  const problems = unknownReads(reads, tables, ['query']);
  if (problems.length > 0) throw new InputError(problems);
  const { id, name, engine } = datastore;
  return {
    declaration,
    columns,
    tableIds: tables.map((table) => table.id),
    datastore: { id, name, engine },
    readBytes: await readBytesOf(warehouse, declaration, options),
  };
}

/**
 * The bytes that a call reads by the engine's own estimate, with the parameters of the first example that is to be answered, or their
 * defaults. Null where an engine does not tell or refuses that call, and where a parameter that must be given has no example.
 */
async function readBytesOf(
  warehouse: Warehouse,
  { query, params = [], examples = [] }: Declaration,
  options: RunOptions,
): Promise<string | null> {
  const given = examples.find((example) => example.expect.error === undefined)?.params ?? {};
  const { values, problems } = paramsOfJson(params, given);
  if (!warehouse.estimate || problems.length > 0) return null;
  const { dialect } = warehouse;
  const statement = toStatement(queryOf(prepare(query, params), values, dialect), dialect);
  try {
    return String(await warehouse.estimate(statement, options));
  } catch (error) {
    // A call with these parameters fails, too: others may go well.
    if (error instanceof AppError && error.code === 'BAD_USER_INPUT') return null;
    throw error;
  }
}

/** The columns that a query answers on an engine, and what it reads there. Fails as describeEndpoint does. */
export async function describeQuery(
  warehouse: Warehouse,
  declaration: Declaration,
  options: RunOptions = {},
): Promise<{ columns: ServedColumn[]; reads: TableName[] }> {
  const { dialect } = warehouse;
  const query = toText(emptyQuery(prepare(declaration.query, declaration.params ?? []), dialect), dialect);
  const { columns, reads } = await refusedQuery(() => warehouse.describe(query, options));
  const served = columns.map(({ name, dataType }) => ({ name, dataType, type: dialect.valueType(dataType) }));
  const problems = [...checkColumns(served), ...checkKey(declaration, served)];
  if (problems.length > 0) throw new InputError(problems);
  return { columns: served, reads };
}

async function openDatastore(
  { catalog, store }: Pick<EndpointDeps, 'store' | 'catalog'>,
  projectId: string,
  declaration: Declaration,
): Promise<{ datastore: Datastore; warehouse: Warehouse }> {
  try {
    const { name, warehouse } = await catalog.datastores.open(projectId, declaration.datastore);
    const datastore = await store.db.datastore.findFirstOrThrow({
      where: { projectId, name, deletedAt: null },
    });
    return { datastore, warehouse };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    throw new InputError([
      { code: 'NOT_FOUND', path: ['datastore'], message: error.message, fix: error.fix },
    ]);
  }
}

async function refusedQuery<T>(describe: () => Promise<T>): Promise<T> {
  try {
    return await describe();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BAD_USER_INPUT') throw error;
    throw new InputError([{ code: 'INVALID', path: ['query'], message: error.message, fix: error.fix }]);
  }
}

function checkColumns(columns: readonly ServedColumn[]): Problem[] {
  return collisions(
    columns.map(({ name }) => name),
    graphqlName,
  ).map(([name, same]) => ({
    code: 'INVALID',
    path: ['query'],
    message: `The columns ${same.map((each) => `"${each}"`).join(' and ')} are one in GraphQL: ${name}.`,
    fix: 'Give them names that differ, with AS.',
  }));
}

function checkKey({ pagination }: Declaration, columns: readonly ServedColumn[]): Problem[] {
  return (pagination?.key ?? []).flatMap((name, index): Problem[] => {
    const path = ['pagination', 'key', String(index)];
    const column = columns.find((each) => each.name === name);
    if (!column) {
      const names = columns.map((each) => each.name).join(', ');
      const message = `The answer has no column "${name}". It has: ${names}.`;
      return [{ code: 'NOT_FOUND', path, message, fix: 'Name columns of the answer.' }];
    }
    if (canOrder(column.type)) return [];
    const message = `Pages cannot be in the order of "${name}", which is ${column.dataType}.`;
    return [
      {
        code: 'INVALID',
        path,
        message,
        fix: 'Name columns of text, whole or decimal numbers, days, times or UUIDs.',
      },
    ];
  });
}
