import { type CloudKind, CloudWarehouse } from './cloud-warehouse.ts';
import { describeSelect } from './snowflake-describe.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import { statementError } from './snowflake-errors.ts';
import { examine } from './snowflake-examine.ts';
import type { SnowflakeLogin } from './snowflake-login.ts';
import { ask, type Desk } from './snowflake-query.ts';
import { SnowflakeSession } from './snowflake-session.ts';
import { describeSchemas, describeTables } from './snowflake-tables.ts';
import { SnowflakeUploads } from './snowflake-upload.ts';
import { dropOwn, ownTables, writeOwn, writeTarget } from './snowflake-write.ts';
import { takeRows } from './take-rows.ts';
import type { Examination, RunOptions, Statement } from './warehouse.ts';

export type SnowflakeOptions = SnowflakeLogin;

/** Opens no session yet: the first statement does, with Snowflake's own client. */
export function openSnowflake(options: SnowflakeOptions): SnowflakeWarehouse {
  return new SnowflakeWarehouse(options);
}

/** One account of Snowflake as one role sees it, over one session. */
export class SnowflakeWarehouse extends CloudWarehouse<Desk> {
  readonly #options: SnowflakeOptions;
  readonly #uploads: SnowflakeUploads;

  constructor(options: SnowflakeOptions) {
    const uploads = new SnowflakeUploads(options);
    super(kindOf(options, uploads));
    this.#options = options;
    this.#uploads = uploads;
  }

  examine(options?: RunOptions): Promise<Examination> {
    const { warehouse, database, schema = null } = this.#options;
    return this.reading(options, (desk) => examine(desk, { warehouse, database, schema }));
  }

  /** Puts a file of this machine into a folder of the user's own stage. Fails as run does. */
  upload(path: string, folder: string, options?: RunOptions): Promise<void> {
    return this.writing(options, (_desk, { signal }) => this.#uploads.put(path, folder, signal));
  }

  /**
   * Runs statements in a session of their own, which ends with them: a transaction that is open then is rolled back. Fails
   * when the session is lost on the way.
   */
  together<T>(
    options: RunOptions,
    work: (run: (statement: Statement) => Promise<unknown[][]>) => Promise<T>,
  ): Promise<T> {
    return this.writing(options, async (_desk, bounds) => {
      await using session = new SnowflakeSession(this.#options, { isOne: true });
      return await work(async (statement) => (await takeRows(await ask(session, statement, bounds))).rows);
    });
  }
}

function kindOf(options: SnowflakeOptions, uploads: SnowflakeUploads): CloudKind<Desk> {
  const session = new SnowflakeSession(options);
  const { database, schema = 'PUBLIC' } = options;
  return {
    engine: 'SNOWFLAKE',
    dialect: snowflakeDialect,
    database,
    // A virtual warehouse runs eight statements at once, and queues the others.
    queriesMax: 16,
    ask: (statement, bounds) => ask(session, statement, bounds),
    deskOf: (bounds, run) => ({
      home: { database, schema },
      run,
      describe: (statement) => ask(session, statement, { ...bounds, describeOnly: true }),
    }),
    describe: describeSelect,
    tables: describeTables,
    schemas: describeSchemas,
    write: writeTarget,
    writeOwn,
    dropOwn,
    ownTables,
    errorOf: statementError,
    async close() {
      await Promise.all([session[Symbol.asyncDispose](), uploads[Symbol.asyncDispose]()]);
    },
  };
}
