import { type CloudBounds, type CloudKind, CloudWarehouse } from './cloud-warehouse.ts';
import { describeSelect } from './databricks-describe.ts';
import { databricksDialect } from './databricks-dialect.ts';
import { statementError } from './databricks-errors.ts';
import { listFiles, putFile, removeFile, type VolumeFile } from './databricks-files.ts';
import { ask, type Desk } from './databricks-query.ts';
import { DatabricksSessions } from './databricks-session.ts';
import type { DatabricksLogin } from './databricks-sign-in.ts';
import { describeSchemas, describeTables } from './databricks-tables.ts';
import { dropOwn, ownTables, writeOwn, writeTarget } from './databricks-write.ts';
import type { RunOptions } from './warehouse.ts';

export type DatabricksOptions = DatabricksLogin;

/** Opens no session yet: the first statement does, with Databricks' own client. */
export function openDatabricks(options: DatabricksOptions): DatabricksWarehouse {
  return new DatabricksWarehouse(options);
}

/** One catalog of a Databricks workspace as one user sees it, through one SQL warehouse. */
export class DatabricksWarehouse extends CloudWarehouse<Desk> {
  /** Where files lie that syncs load; undefined when the config names no volume. */
  readonly volume: string | undefined;
  readonly #sessions: DatabricksSessions;

  constructor(options: DatabricksOptions) {
    const sessions = new DatabricksSessions(options);
    super(kindOf(options, sessions));
    this.volume = options.volume;
    this.#sessions = sessions;
  }

  /** Puts a file of this machine into a volume. Fails as run does. */
  upload(file: { from: string; to: string }, options?: RunOptions): Promise<void> {
    return this.writing(options, (_desk, { signal }) => putFile(this.#sessions, file, signal));
  }

  /** The files of a folder of a volume. Fails as run does. */
  files(path: string, options?: RunOptions): Promise<VolumeFile[]> {
    return this.reading(options, (_desk, { signal }) => listFiles(this.#sessions, path, signal));
  }

  /** Removes a file of a volume, if it is there. Fails as run does. */
  removeFile(path: string, options?: RunOptions): Promise<void> {
    return this.writing(options, (_desk, { signal }) => removeFile(this.#sessions, path, signal));
  }
}

function kindOf(options: DatabricksOptions, sessions: DatabricksSessions): CloudKind<Desk> {
  const database = options.catalog.toLowerCase();
  const schema = (options.schema ?? 'default').toLowerCase();
  const onWait = (bounds: CloudBounds) => (said: string) => (bounds.waitedFor = said);
  return {
    engine: 'DATABRICKS',
    dialect: databricksDialect,
    database,
    // A cluster of a SQL warehouse runs ten statements at once, and queues the others.
    queriesMax: 16,
    ask: (statement, bounds) => ask(sessions, statement, { ...bounds, onWait: onWait(bounds) }),
    deskOf: (_bounds, run) => ({ home: { database, schema }, run }),
    describe: describeSelect,
    tables: describeTables,
    schemas: describeSchemas,
    write: writeTarget,
    writeOwn,
    dropOwn,
    ownTables,
    errorOf: statementError,
    close: () => sessions[Symbol.asyncDispose](),
  };
}
