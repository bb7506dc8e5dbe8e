import { type DuckDBConnection, DuckDBInstance, type DuckDBPreparedStatement } from '@duckdb/node-api';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Binding, RowType } from '#warehouse/snowflake-values.ts';
import type { Seen } from './access.ts';
import { unknownFunction } from './functions.ts';
import { commentOf, macros, type Translated, translate, unmarked, unmarkedSql } from './translate.ts';
import { bindOf, rawOf, rowTypeOf } from './values.ts';

/** What Snowflake says in place of a result. */
export class Refusal extends Error {
  readonly code: string;
  readonly sqlState: string;

  constructor(code: string, sqlState: string, message: string) {
    super(message);
    this.code = code;
    this.sqlState = sqlState;
  }
}

export type Raw = (string | null)[];

/** A result: its first rows, or, when those are not all, the table that all are kept in. */
export interface Outcome {
  statementTypeId: number;
  rowtype: RowType[];
  rows: Raw[];
  kept: { table: string; total: number } | null;
}

const inlineRowsMax = 2_000;
const keptRowsMax = 8_000_000;
const selectTypeId = 0x1000;
const ddlTypeId = 0x6000;
const otherTypeId = 0x9000;

interface RunOptions {
  session: string;
  describeOnly: boolean;
  onStart: (stop: () => void) => void;
  /** What the information schema shows; null for all. */
  seen?: Seen | null;
}

/** The databases that Snowflake would hold, in the memory of one DuckDB. */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #database: string;
  readonly #kept: { table: string; total: number }[] = [];
  readonly databases: Set<string>;
  /** Connections of sessions that are in a transaction. */
  readonly #transactions = new Map<string, DuckDBConnection>();
  readonly #stageFolder: string;
  #count = 0;

  private constructor(instance: DuckDBInstance, database: string, stageFolder: string) {
    this.#instance = instance;
    this.#database = database;
    this.databases = new Set([database]);
    this.#stageFolder = stageFolder;
  }

  static async open(database: string, stageFolder: string): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' });
    const connection = await instance.connect();
    await connection.run(`SET GLOBAL TimeZone = 'UTC';
      ATTACH ':memory:' AS sf; ATTACH ':memory:' AS results; ATTACH ':memory:' AS "${database}";
      CREATE SCHEMA "${database}"."PUBLIC";
      CREATE TABLE sf.main.view_texts (key VARCHAR PRIMARY KEY, text VARCHAR);
      ${macros.map((macro) => `CREATE MACRO sf.main.${macro};`).join('\n')}
      ${catalogViews}`);
    connection.closeSync();
    return new Engine(instance, database, stageFolder);
  }

  /** Runs one statement, until `stop` is called; or says what it would give. */
  async run(text: string, bindings: Record<string, Binding>, options: RunOptions): Promise<Outcome> {
    const statement = { ...onlyOne(text, bindings, this.#stageFolder), text };
    const statementTypeId = typeOf(statement);
    if (options.describeOnly && statementTypeId !== selectTypeId) {
      return { statementTypeId, rowtype: [], rows: [], kept: null };
    }
    const word = statement.tokens[0]!.text;
    if (word === 'BEGIN') return this.#begin(options.session);
    if (word === 'COMMIT' || word === 'ROLLBACK') return this.#end(options.session, word);
    const open = this.#transactions.get(options.session);
    const connection = open ?? (await this.#connect(options.seen));
    const life = { isOver: false };
    options.onStart(() => {
      // DuckDB forgets an interrupt that comes before its statement has begun.
      const nag = setInterval(() => (life.isOver ? clearInterval(nag) : connection.interrupt()), 20);
    });
    try {
      const outcome = await this.#execute(connection, statement, Object.values(bindings), {
        describeOnly: options.describeOnly,
        isInTransaction: open !== undefined,
      });
      return { ...outcome, statementTypeId };
    } catch (error) {
      throw refusalOf(error);
    } finally {
      life.isOver = true;
      if (!open) connection.closeSync();
    }
  }

  /** Another database, empty but for its schema PUBLIC, unless it is there. */
  async makeDatabase(name: string): Promise<void> {
    if (this.databases.has(name)) return;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const connection = await this.#connect();
    await connection.run(`ATTACH ':memory:' AS ${quoted}; CREATE SCHEMA ${quoted}."PUBLIC";`);
    connection.closeSync();
    this.databases.add(name);
  }

  async #begin(session: string): Promise<Outcome> {
    const connection = await this.#connect();
    await connection.run('BEGIN TRANSACTION');
    this.#transactions.set(session, connection);
    return { ...done(), statementTypeId: otherTypeId };
  }

  async #end(session: string, how: 'COMMIT' | 'ROLLBACK'): Promise<Outcome> {
    const connection = this.#transactions.get(session);
    this.#transactions.delete(session);
    try {
      await connection?.run(how);
    } catch (error) {
      throw refusalOf(error);
    } finally {
      connection?.closeSync();
    }
    return { ...done(), statementTypeId: otherTypeId };
  }

  /** What a session that is over had not committed is undone. */
  async endSession(session: string): Promise<void> {
    if (this.#transactions.has(session)) await this.#end(session, 'ROLLBACK').catch(() => undefined);
  }

  /** Some rows of what was kept. */
  async read({ table }: { table: string }, rowtype: RowType[], from: number, count: number): Promise<Raw[]> {
    const connection = await this.#connect();
    try {
      const result = await connection.run(
        `SELECT * FROM results.main.${table} WHERE rowid >= ${from} AND rowid < ${from + count} ORDER BY rowid`,
      );
      return (await result.getRows()).map((row) => row.map((value, at) => rawOf(value, rowtype[at]!)));
    } finally {
      connection.closeSync();
    }
  }

  async #connect(seen?: Seen | null): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect();
    for (const [name, pattern] of Object.entries(seen ?? {})) {
      await connection.run(`SET VARIABLE seen_${name} = '${pattern.replaceAll("'", "''")}'`);
    }
    await connection.run(`SET search_path = '"${this.#database}"."PUBLIC",sf.main'`);
    return connection;
  }

  async #execute(
    connection: DuckDBConnection,
    statement: Translated & { text: string },
    bindings: Binding[],
    { describeOnly, isInTransaction }: { describeOnly: boolean; isInTransaction: boolean },
  ): Promise<Omit<Outcome, 'statementTypeId'>> {
    const zoned = statement.tokens.some((token) => token.text === 'TIMESTAMP_TZ')
      ? 'timestamp_tz'
      : 'timestamp_ltz';
    const isSelect = typeOf(statement) === selectTypeId;
    const prepared = await prepare(connection, statement.sql, bindings);
    if (!isSelect) {
      const comment = commentOf(statement.tokens);
      const write = async () => {
        if (!comment) return (await prepared.run()).rowsChanged;
        // One step to Snowflake.
        await connection.run('BEGIN TRANSACTION');
        try {
          const { rowsChanged } = await prepared.run();
          await connection.run(`COMMENT ON TABLE ${comment.table} IS ${comment.comment}`);
          await connection.run('COMMIT');
          return rowsChanged;
        } catch (error) {
          await connection.run('ROLLBACK').catch(() => undefined);
          throw error;
        }
      };
      const changed = isInTransaction ? await write() : await unlocked(write);
      await keepView(connection, statement, this.#database);
      return done(changedBy[statement.tokens[0]!.text], changed);
    }
    if (describeOnly) {
      const rowtype = Array.from({ length: prepared.columnCount }, (_, at) =>
        rowTypeOf(unmarked(prepared.columnName(at)), prepared.columnType(at), zoned),
      );
      return { rowtype, rows: [], kept: null };
    }
    const result = await prepared.stream();
    const types = result.columnTypes();
    const rowtype = result.columnNames().map((name, at) => rowTypeOf(unmarked(name), types[at]!, zoned));
    const rows: Raw[] = [];
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return { rowtype, rows, kept: null };
      for (const row of chunk.getRows()) rows.push(row.map((value, at) => rawOf(value, rowtype[at]!)));
      if (rows.length > inlineRowsMax) break;
    }
    return { rowtype, rows: [], kept: await this.#keep(connection, statement.sql, bindings) };
  }

  /** Keeps all rows of a SELECT, and lets go of the oldest when they are too many. */
  async #keep(connection: DuckDBConnection, sql: string, bindings: Binding[]) {
    const table = `r${(this.#count += 1)}`;
    const prepared = await prepare(connection, `CREATE TABLE results.main.${table} AS ${sql}`, bindings);
    await prepared.run();
    const counted = await connection.runAndReadAll(`SELECT count(*) FROM results.main.${table}`);
    const kept = { table, total: Number(counted.getRows()[0]![0]) };
    this.#kept.push(kept);
    while (this.#kept.length > 1 && this.#kept.reduce((sum, { total }) => sum + total, 0) > keptRowsMax) {
      await connection.run(`DROP TABLE results.main.${this.#kept.shift()!.table}`);
    }
    return kept;
  }
}

const changedBy: Record<string, string | undefined> = {
  INSERT: 'number of rows inserted',
  UPDATE: 'number of rows updated',
  DELETE: 'number of rows deleted',
  MERGE: 'number of rows inserted',
};

/** What a statement answers that gives no rows: how many it changed, or that it is done. */
function done(counted?: string, changed = 0): Omit<Outcome, 'statementTypeId'> {
  if (counted !== undefined) {
    const rowtype = [{ name: counted, type: 'fixed', precision: 19, scale: 0 }];
    return { rowtype, rows: [[String(changed)]], kept: null };
  }
  const rowtype = [{ name: 'status', type: 'text', precision: null, scale: null }];
  return { rowtype, rows: [['Statement executed successfully.']], kept: null };
}

function onlyOne(text: string, bindings: Record<string, Binding>, stageFolder: string): Translated {
  const [statement, ...others] = translate(text, stageFolder);
  if (!statement) throw new Refusal('000900', '42601', 'SQL compilation error: Empty SQL statement.');
  if (others.length > 0) {
    const count = others.length + 1;
    const message = `Actual statement count ${count} did not match the desired statement count 1.`;
    throw new Refusal('000008', '0A000', message);
  }
  const unknown = unknownFunction(statement.tokens);
  if (unknown !== undefined) {
    throw new Refusal('002140', '42601', `SQL compilation error: Unknown function ${unknown}.`);
  }
  if (statement.binds <= Object.keys(bindings).length) return statement;
  throw new Refusal('002049', '42601', 'SQL compilation error: Bind variable ? not set.');
}

function typeOf({ tokens }: Translated): number {
  const first = tokens.find(({ text }) => text !== '(')?.text ?? '';
  if (first === 'SELECT' || first === 'WITH') return selectTypeId;
  return first === 'CREATE' || first === 'DROP' ? ddlTypeId : otherTypeId;
}

async function prepare(
  connection: DuckDBConnection,
  sql: string,
  bindings: Binding[],
): Promise<DuckDBPreparedStatement> {
  const prepared = await connection.prepare(sql);
  const binds = bindings.map(bindOf);
  prepared.bind(
    binds.map(([value]) => value),
    binds.map(([, type]) => type),
  );
  return prepared;
}

/** Of two that write one table DuckDB refuses the second, also when the first is being stopped; Snowflake lets it wait. */
async function unlocked<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 40 || !/write-write conflict/i.test(String(error))) throw error;
      await sleep(50);
    }
  }
}

/** DuckDB keeps a view in words of its own; Snowflake in those that it was made with. */
async function keepView(
  connection: DuckDBConnection,
  { tokens, text }: Translated & { text: string },
  database: string,
) {
  const at = tokens.findIndex(({ text }) => text === 'VIEW');
  if (tokens[0]?.text !== 'CREATE' || at === -1 || at > 3) return;
  const parts = [];
  for (let of = at + 1; tokens[of] && !['COPY', 'AS'].includes(tokens[of]!.text); of += 1) {
    if (tokens[of]!.kind !== 'sign') parts.push(tokens[of]!.text);
  }
  const [name, schema = 'PUBLIC', of = database] = parts.toReversed();
  await connection.run('INSERT OR REPLACE INTO sf.main.view_texts VALUES (?, ?)', [
    `${of}.${schema}.${name}`,
    text,
  ]);
}

function refusalOf(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const [code, sqlState] = codes.find(([, , shape]) => shape.test(message)) ?? ['000603', 'XX000'];
  return new Refusal(code, sqlState, `SQL compilation error: ${unmarked(message)}`);
}

const codes: [string, string, RegExp][] = [
  ['000604', '57014', /^INTERRUPT Error/i],
  ['000625', '40001', /conflict/i],
  ['002003', '42S02', /^Catalog Error/],
  ['001003', '42000', /^Parser Error/],
  ['000904', '42000', /^Binder Error/],
  ['100038', '22018', /^(Conversion|Out of Range|Invalid Input) Error/],
];

const columnType = `CASE WHEN data_type LIKE '%[]' THEN 'ARRAY' WHEN data_type = 'BLOB' THEN 'BINARY' WHEN data_type LIKE '%INT%' OR data_type LIKE 'DECIMAL%' THEN 'NUMBER'
  WHEN data_type = 'VARCHAR' THEN 'TEXT' WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ'
  WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ' WHEN data_type = 'DOUBLE' THEN 'FLOAT'
  WHEN data_type = 'JSON' THEN 'VARIANT' ELSE data_type END`;

/** Whether who asks has anything on it. */
function isSeen(what: keyof Seen, name: string): string {
  const pattern = `getvariable('seen_${what}')`;
  return `(${pattern} IS NULL OR regexp_full_match(${unmarkedSql(name)}, CAST(${pattern} AS VARCHAR)))`;
}

/** The information schema, as far as it is asked for. */
const catalogViews = `
  CREATE VIEW sf.main.SCHEMATA AS SELECT database_name AS TABLE_CATALOG, ${unmarkedSql('schema_name')} AS SCHEMA_NAME FROM duckdb_schemas()
    WHERE schema_name NOT IN ('main', 'information_schema', 'pg_catalog') AND ${isSeen('schemas', "database_name || '.' || schema_name")};
  CREATE VIEW sf.main.TABLES AS SELECT * FROM (
    SELECT database_name AS TABLE_CATALOG, ${unmarkedSql('schema_name')} AS TABLE_SCHEMA, ${unmarkedSql('table_name')} AS TABLE_NAME,
      'BASE TABLE' AS TABLE_TYPE, estimated_size AS ROW_COUNT, comment AS COMMENT, now() AS CREATED FROM duckdb_tables()
    UNION ALL SELECT database_name, ${unmarkedSql('schema_name')}, ${unmarkedSql('view_name')}, 'VIEW', NULL, comment, now() FROM duckdb_views() WHERE NOT internal)
    WHERE ${isSeen('tables', "TABLE_CATALOG || '.' || TABLE_SCHEMA || '.' || TABLE_NAME")};
  CREATE VIEW sf.main.COLUMNS AS
    SELECT database_name AS TABLE_CATALOG, ${unmarkedSql('schema_name')} AS TABLE_SCHEMA, ${unmarkedSql('table_name')} AS TABLE_NAME, ${unmarkedSql('column_name')} AS COLUMN_NAME,
      column_index AS ORDINAL_POSITION, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS IS_NULLABLE,
      ${columnType} AS DATA_TYPE,
      CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_precision WHEN data_type LIKE '%INT%' THEN 38 END AS NUMERIC_PRECISION,
      CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_scale WHEN data_type LIKE '%INT%' THEN 0 END AS NUMERIC_SCALE,
      CASE WHEN data_type = 'VARCHAR' THEN 16777216 END AS CHARACTER_MAXIMUM_LENGTH
    FROM duckdb_columns();
  CREATE VIEW sf.main.VIEWS AS
    SELECT database_name AS TABLE_CATALOG, ${unmarkedSql('schema_name')} AS TABLE_SCHEMA, ${unmarkedSql('view_name')} AS TABLE_NAME, text AS VIEW_DEFINITION
    FROM duckdb_views() LEFT JOIN sf.main.view_texts
      ON key = database_name || '.' || ${unmarkedSql(`schema_name || '.' || view_name`)} WHERE NOT internal;`;
