import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'vitest';
import { CloudWarehouse } from '#warehouse/cloud-warehouse.ts';
import { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { PostgresWarehouse } from '#warehouse/postgres.ts';
import { RedshiftWarehouse } from '#warehouse/redshift.ts';
import type { Statement, Warehouse } from '#warehouse/warehouse.ts';

/** Tells the statements of what is measured from those of what goes on beside it, such as a task that runs. */
const measured = new AsyncLocalStorage<Statement[]>();

/** The statements that `run` itself makes on any warehouse, in order; those of a question that it only joined are not its own. */
export async function warehouseStatementsOf(run: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  await recording(
    () => measured.run(statements, run),
    (statement) => measured.getStore()?.push(statement),
  );
  return statements;
}

/** All statements that are made on any warehouse while `run` runs, whoever makes them. */
export async function warehouseStatementsDuring(run: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  await recording(run, (statement) => statements.push(statement));
  return statements;
}

/** Fails, with the statements, when `run` makes another number of them on warehouses than said. */
export async function expectWarehouseStatements(count: number, run: () => Promise<unknown>): Promise<void> {
  const made = await warehouseStatementsOf(run);
  expect(made.length, made.map(({ sql }) => sql).join('\n')).toBe(count);
}

async function recording(run: () => Promise<unknown>, record: (statement: Statement) => void): Promise<void> {
  const proto = DuckDbSession.prototype;
  // They are called on the session that they are read from.
  // oxlint-disable-next-line typescript/unbound-method
  const { answer, read, run: runSql } = proto;
  proto.answer = function recorded(this: DuckDbSession, statement, ...bounds) {
    record(statement);
    return Reflect.apply(answer, this, [statement, ...bounds]);
  };
  proto.read = function recorded(this: DuckDbSession, statement) {
    record(statement);
    return Reflect.apply(read, this, [statement]);
  };
  proto.run = function recorded(this: DuckDbSession, sql, binds = []) {
    record({ sql, binds });
    return Reflect.apply(runSql, this, [sql, binds]);
  };
  const restore = remoteWarehouses.map((warehouse) => recordRemote(warehouse, record));
  try {
    await run();
  } finally {
    Object.assign(proto, { answer, read, run: runSql });
    for (const undo of restore) undo();
  }
}

/** Every engine that is not embedded. */
const remoteWarehouses: readonly Pick<Warehouse, 'run' | 'stream'>[] = [
  CloudWarehouse.prototype,
  PostgresWarehouse.prototype,
  RedshiftWarehouse.prototype,
];

function recordRemote(
  proto: Pick<Warehouse, 'run' | 'stream'>,
  record: (statement: Statement) => void,
): () => void {
  // oxlint-disable-next-line typescript/unbound-method
  const { run, stream } = proto;
  proto.run = function recorded(this: Warehouse, statement, options) {
    record(statement);
    return Reflect.apply(run, this, [statement, options]);
  };
  proto.stream = function recorded(this: Warehouse, statement, options) {
    record(statement);
    return Reflect.apply(stream, this, [statement, options]);
  };
  return () => Object.assign(proto, { run, stream });
}
