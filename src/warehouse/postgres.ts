import { postgresKind } from './postgres-kind.ts';
import { type PostgresOptions, PostgresProtocolWarehouse } from './postgres-protocol.ts';

/** A database of a PostgreSQL server. */
export class PostgresWarehouse extends PostgresProtocolWarehouse {
  constructor(options: PostgresOptions) {
    super(options, postgresKind);
  }
}

/** Connects once. Fails with Unreachable, each wrong field with a message of its own. */
export async function openPostgres(options: PostgresOptions): Promise<PostgresWarehouse> {
  const warehouse = new PostgresWarehouse(options);
  try {
    await warehouse.check();
    return warehouse;
  } catch (error) {
    await warehouse[Symbol.asyncDispose]();
    throw error;
  }
}
