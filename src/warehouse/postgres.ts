import { examine } from './postgres-examine.ts';
import { postgresKind } from './postgres-kind.ts';
import { type PostgresOptions, PostgresProtocolWarehouse } from './postgres-protocol.ts';
import type { Examination, RunOptions } from './warehouse.ts';

const schemasMax = 1_000_000;

/** A database of a PostgreSQL server. */
export class PostgresWarehouse extends PostgresProtocolWarehouse {
  readonly #schema: string | undefined;

  constructor(options: PostgresOptions) {
    super(options, postgresKind);
    this.#schema = options.schema;
  }

  examine(options?: RunOptions): Promise<Examination> {
    const bounds = { ...options, rowsMax: schemasMax, bytesMax: Infinity };
    return examine((statement) => this.run(statement, bounds), this.#schema);
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
