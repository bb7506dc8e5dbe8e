import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBResult,
  ResultReturnType,
} from '@duckdb/node-api';
import { setTimeout as sleep } from 'node:timers/promises';
import { batchOf, type ResultShape, shapeOf } from './arrow.ts';
import { Catalog } from './catalog.ts';
import { Refusal, refusalOf } from './refusals.ts';
import { macros, type Translated, translate } from './translate.ts';
import { bindOf, type Given, sqlNameOf } from './values.ts';

export interface Batch {
  batch: Buffer;
  rowCount: number;
}

/** What a statement gives: its rows are computed as they are taken. */
export class Rows implements AsyncDisposable {
  readonly shape: ResultShape;
  readonly #connection: DuckDBConnection;
  readonly #result: DuckDBResult;
  #next: Batch | null = null;

  constructor(connection: DuckDBConnection, result: DuckDBResult) {
    this.#connection = connection;
    this.#result = result;
    this.shape = shapeOf(result.columnNames(), result.columnTypes());
  }

  /** Computes the first rows, so that a statement is not said to have ended before it has begun. */
  async begin(): Promise<this> {
    this.#next = await this.#read();
    return this;
  }

  get isOver(): boolean {
    return this.#next === null;
  }

  /** As many batches as fit, at least one while there are rows. */
  async take(bytesMax: number): Promise<Batch[]> {
    const batches: Batch[] = [];
    for (let bytes = 0; this.#next && (batches.length === 0 || bytes < bytesMax);) {
      batches.push(this.#next);
      bytes += this.#next.batch.length;
      this.#next = await this.#read();
    }
    return batches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#next = null;
    this.#connection.closeSync();
  }

  async #read(): Promise<Batch | null> {
    try {
      const chunk = await this.#result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) {
        // So the driver also ends the rows of a statement that failed after the first of them.
        if (this.#result.returnType === ResultReturnType.INVALID)
          throw new Error('Conversion Error: a later row cannot be computed');
        return null;
      }
      return { batch: batchOf(chunk, this.shape), rowCount: chunk.rowCount };
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

/** The catalogs that Databricks would hold, in the memory of one DuckDB. */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly #catalog: Catalog;
  readonly #home: string;
  readonly #volumes: string;

  private constructor(instance: DuckDBInstance, catalog: Catalog, home: string, volumes: string) {
    this.#instance = instance;
    this.#catalog = catalog;
    this.#home = home;
    this.#volumes = volumes;
  }

  /** Files of volumes lie under the folder. */
  static async open(database: string, volumes: string): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' });
    const connection = await instance.connect();
    await connection.run(`SET GLOBAL TimeZone = 'UTC'; SET GLOBAL default_null_order = 'nulls_first_on_asc_last_on_desc';
      ATTACH ':memory:' AS dbx; ATTACH ':memory:' AS "${database}"; CREATE SCHEMA "${database}"."default";
      ${macros.map((macro) => `CREATE MACRO dbx.main.${macro};`).join('\n')}`);
    const catalog = await Catalog.open(connection);
    connection.closeSync();
    return new Engine(instance, catalog, database, volumes);
  }

  /** Gives a table a comment in the catalog alone, as people do in its pages. */
  async show(table: string, text: string): Promise<void> {
    const connection = await this.#instance.connect();
    await this.#catalog.show(connection, table, text);
    connection.closeSync();
  }

  /** Runs one statement, until `stop` is called. */
  async run(
    text: string,
    given: readonly Given[],
    home: { catalog: string; schema: string },
    onStart: (stop: () => void) => void,
  ): Promise<Rows> {
    const statement = onlyOne(text, this.#volumes);
    const connection = await this.#instance.connect();
    const life = { isOver: false };
    onStart(() => {
      // DuckDB forgets an interrupt that comes before its statement has begun.
      const nag = setInterval(() => (life.isOver ? clearInterval(nag) : connection.interrupt()), 20);
    });
    try {
      this.#catalog.check(statement.effect, this.#home);
      await connection.run(`SET search_path = '"${home.catalog}"."${home.schema}",dbx.main'`);
      return await this.#execute(connection, statement, given);
    } catch (error) {
      connection.closeSync();
      throw refusalOf(error);
    } finally {
      life.isOver = true;
    }
  }

  async #execute(
    connection: DuckDBConnection,
    statement: Translated,
    given: readonly Given[],
  ): Promise<Rows> {
    const { effect, sql } = statement;
    if (given.length > 0 && (effect.kind === 'table' || effect.kind === 'view')) {
      const message = 'Parameter markers are not allowed in a statement that makes a table or view.';
      throw new Refusal('UNSUPPORTED_FEATURE.PARAMETER_MARKER_IN_UNEXPECTED_STATEMENT', '0A000', message);
    }
    if (effect.kind === 'describe') {
      const query = await asQuery(connection, sql, []);
      const values = namesOf(query).map((name, at) => {
        const type = sqlNameOf(query.columnType(at)).toLowerCase();
        return `(${literal(name)}, ${literal(type)}, NULL)`;
      });
      const rows = await connection.stream(
        `SELECT * FROM (VALUES ${values.join(', ')}) AS columns(col_name, data_type, comment)`,
      );
      return new Rows(connection, rows).begin();
    }
    if (effect.kind === 'select') {
      const prepared = await prepare(connection, sql, given);
      return new Rows(connection, await prepared.stream()).begin();
    }
    if (effect.kind === 'table') {
      const query = await asQuery(connection, sql.slice(sql.indexOf(' AS ') + 4), given);
      this.#catalog.checkColumns(effect, namesOf(query));
    }
    if (effect.kind === 'detail') {
      return new Rows(
        connection,
        await connection.stream(this.#catalog.detailOf(effect, this.#home)),
      ).begin();
    }
    await unlocked(async () => {
      // A table and its comment are one commit.
      await connection.run('BEGIN');
      try {
        if (effect.kind === 'table') await this.#replace(connection, sql, given);
        else await (await prepare(connection, sql, given)).run();
        await this.#catalog.comment(connection, effect);
        await connection.run('COMMIT');
      } catch (error) {
        await connection.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
    await this.#catalog.keep(connection, effect, this.#home);
    return new Rows(connection, await connection.stream('SELECT 1 AS done WHERE false')).begin();
  }

  /** DuckDB makes a table before it computes its rows, which may look at what was there: they are computed before. */
  async #replace(connection: DuckDBConnection, sql: string, given: readonly Given[]): Promise<void> {
    const at = sql.indexOf(' AS ');
    await (await prepare(connection, `CREATE TEMP TABLE dbx_made AS ${sql.slice(at + 4)}`, given)).run();
    await connection.run(`${sql.slice(0, at)} AS FROM temp.dbx_made`);
  }
}

function onlyOne(text: string, volumes: string): Translated {
  const [statement, ...others] = translate(text, volumes);
  if (statement && others.length === 0) return statement;
  throw new Refusal('PARSE_SYNTAX_ERROR', '42601', "Syntax error at or near end of input or ';'.");
}

async function prepare(
  connection: DuckDBConnection,
  sql: string,
  given: readonly Given[],
): Promise<DuckDBPreparedStatement> {
  const prepared = await connection.prepare(sql);
  for (let at = 1; at <= prepared.parameterCount; at += 1) {
    const name = prepared.parameterName(at);
    const parameter = given.find((each) => each.name === name);
    if (!parameter)
      throw new Refusal('UNBOUND_SQL_PARAMETER', '42P02', `Found the unbound parameter: ${name}.`);
    const [value, type] = bindOf(parameter);
    prepared.bindValue(at, value, type);
  }
  return prepared;
}

/** A statement that can only be a query, not run yet. */
async function asQuery(connection: DuckDBConnection, sql: string, given: readonly Given[]) {
  const isSelect = /^\s*\(*\s*(SELECT|WITH|VALUES)\b/i.test(sql);
  if (!isSelect) throw new Refusal('PARSE_SYNTAX_ERROR', '42601', 'Syntax error: a query is expected.');
  return prepare(connection, sql, given);
}

function namesOf(query: DuckDBPreparedStatement): string[] {
  return Array.from({ length: query.columnCount }, (_, at) => query.columnName(at));
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Of two that write one table DuckDB refuses the second, also when the first is being stopped; Delta lets it go on. */
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
