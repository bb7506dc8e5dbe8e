import { newId } from '#base/id.ts';
import { describeSelect } from './bigquery-describe.ts';
import { bigQueryDialect } from './bigquery-dialect.ts';
import { statementError } from './bigquery-errors.ts';
import { ask, askAsJob, type Desk, dryRun, type QuerySettings } from './bigquery-query.ts';
import { type BigQueryLogin, BigQueryRest } from './bigquery-rest.ts';
import { describeSchemas, describeTables, tableNames } from './bigquery-tables.ts';
import { dropTable, writeOwn, writeTarget } from './bigquery-write.ts';
import { type CloudKind, CloudWarehouse } from './cloud-warehouse.ts';
import { stagingSchema } from './duckdb-tables.ts';
import type { RunOptions, Statement } from './warehouse.ts';

export interface BigQueryOptions extends BigQueryLogin, Partial<QuerySettings> {}

/** BigQuery ends a page at about 10 MB in any case. */
const pageRowsMax = 10_000;

/** Asks nothing yet: the first statement signs in, with Google's own client. */
export function openBigQuery(options: BigQueryOptions): BigQueryWarehouse {
  return new BigQueryWarehouse(options);
}

/** One project of BigQuery, which is also the database of its tables, as one service account sees it. */
export class BigQueryWarehouse extends CloudWarehouse<Desk> {
  readonly #dataset: string | undefined;

  constructor({ dataset, location, maximumBytesBilled, ...login }: BigQueryOptions) {
    super(kindOf(new BigQueryRest(login), { dataset, location, maximumBytesBilled }));
    this.#dataset = dataset;
  }

  estimate(statement: Statement, options?: RunOptions): Promise<bigint> {
    return this.reading(options, async (desk) => (await desk.dryRun(statement)).bytesProcessed);
  }

  /** Work with the REST API of the project, as write does it. */
  work<T>(options: RunOptions, work: (desk: Desk) => Promise<T>): Promise<T> {
    return this.writing(options, work);
  }

  /** Fails as run does where nothing can be asked, or the dataset that names are looked for in is not there. */
  async ping(): Promise<void> {
    await this.run({ sql: 'SELECT 1' });
    if (this.#dataset === undefined) return;
    const path = `/datasets/${encodeURIComponent(this.#dataset)}`;
    await this.reading({}, ({ rest, signal }) => rest.send({ method: 'GET', path, signal }));
  }
}

function kindOf(rest: BigQueryRest, settings: QuerySettings): CloudKind<Desk> {
  return {
    engine: 'BIGQUERY',
    dialect: bigQueryDialect,
    database: rest.login.projectId,
    // A project runs a hundred statements at once and queues more.
    queriesMax: 32,
    ask: (statement, bounds, rowsMax) =>
      // One row more says whether there are more.
      ask(rest, settings, statement, { ...bounds, pageRows: Math.min(rowsMax + 1, pageRowsMax) }),
    deskOf: (bounds, run) => ({
      rest,
      settings,
      signal: bounds.signal,
      run,
      dryRun: (statement) => dryRun(rest, settings, statement, bounds.signal),
      write: (statement, more) =>
        askAsJob(rest, settings, statement, {
          ...bounds,
          pageRows: 1,
          jobId: `sluice_${newId()}`,
          ...(more && { more }),
        }),
    }),
    describe: describeSelect,
    tables: describeTables,
    schemas: describeSchemas,
    write: writeTarget,
    writeOwn,
    dropOwn: (desk, name) => dropTable(desk, stagingSchema, name),
    ownTables: (desk) => tableNames(desk, stagingSchema),
    errorOf: statementError,
    close: () => rest.settled(),
  };
}
