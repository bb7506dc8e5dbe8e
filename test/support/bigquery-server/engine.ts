import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBType,
} from '@duckdb/node-api';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Field, QueryParameter, RawRow } from '#warehouse/bigquery-values.ts';
import type { Token } from '#warehouse/select-reads.ts';
import { catalogViews, columnTypeSql } from './catalog.ts';
import { namesOf, partsOf, restFieldOf, typeOf } from './names.ts';
import { Refusal, refusalOf } from './refusals.ts';
import { stepsOf } from './script.ts';
import { macros, quoted, statementsOf, translate, type Translated } from './translate.ts';
import { bindOf, cellOf, fieldOf } from './values.ts';

/** A result: its rows, or, when those are many, the table that all are kept in. */
export interface Outcome {
  statementType: string;
  fields: Field[];
  rows: RawRow[];
  kept: string | null;
  total: number;
  affected: number | null;
}

export interface TableReference {
  projectId: string;
  datasetId: string;
  tableId: string;
}

export interface QueryConfiguration {
  query: string;
  queryParameters?: QueryParameter[];
  defaultDataset?: { datasetId: string };
  destinationTable?: TableReference;
  writeDisposition?: string;
  maximumBytesBilled?: string;
}

const rowsInMemoryMax = 2_000;
const keptRowsMax = 8_000_000;

/** The datasets of one project, in the memory of one DuckDB. */
export class Engine {
  readonly #instance: DuckDBInstance;
  readonly project: string;
  readonly #kept: { table: string; total: number }[] = [];
  readonly #created = new Map<string, number>();
  #count = 0;

  private constructor(instance: DuckDBInstance, project: string) {
    this.#instance = instance;
    this.project = project;
  }

  static async open(project: string): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' });
    const connection = await instance.connect();
    await connection.run(`SET GLOBAL TimeZone = 'UTC';
      ATTACH ':memory:' AS bq; ATTACH ':memory:' AS results; ATTACH ':memory:' AS ${quoted(project)};
      CREATE TABLE bq.main.view_texts (key VARCHAR PRIMARY KEY, text VARCHAR);
      ${macros.map((macro) => `CREATE MACRO bq.main.${macro};`).join('\n')}
      ${catalogViews(project)}`);
    connection.closeSync();
    return new Engine(instance, project);
  }

  /** Runs a query, until `stop` is called; or says what it would give. */
  async query(
    configuration: QueryConfiguration,
    options: { dryRun: boolean; onStart?: (stop: () => void) => void },
  ): Promise<Outcome> {
    const { query, defaultDataset } = configuration;
    const statements = statementsOf(query);
    if (statements.length === 0) throw new Refusal(400, 'required', 'Required parameter is missing: query');
    const connection = await this.connect(defaultDataset?.datasetId);
    const life = { isOver: false };
    options.onStart?.(() => {
      // DuckDB forgets an interrupt that comes before its statement has begun.
      const nag = setInterval(() => (life.isOver ? clearInterval(nag) : connection.interrupt()), 20);
    });
    try {
      return await this.#run(connection, statements, configuration, options.dryRun);
    } catch (error) {
      throw refusalOf(error, query, this.project);
    } finally {
      life.isOver = true;
      connection.closeSync();
    }
  }

  /** The tables that a SELECT reads, those of its views in place of these. */
  async tablesOf(text: string, dataset: string | undefined): Promise<TableReference[]> {
    const connection = await this.connect(dataset);
    try {
      const { sql } = translate(statementsOf(text)[0]!, this.project);
      const tables = connection.getTableNames(sql, true).map((written) => {
        const [tableId = '', datasetId = dataset ?? ''] = partsOf(written).toReversed();
        return { projectId: this.project, datasetId, tableId };
      });
      return tables.filter(({ datasetId }) => datasetId !== '' && datasetId !== 'main');
    } finally {
      connection.closeSync();
    }
  }

  async viewText(dataset: string, name: string): Promise<string | null> {
    const found = await this.ask(`SELECT text FROM bq.main.view_texts WHERE key = $1`, [
      `${dataset}.${name}`,
    ]);
    return (found[0]?.[0] as string | undefined) ?? null;
  }

  /** Some rows of what was kept. */
  async read({ kept, rows }: Outcome, from: number, count: number): Promise<RawRow[]> {
    if (kept === null) return rows.slice(from, from + count);
    const connection = await this.#instance.connect();
    try {
      const result = await connection.run(
        `SELECT * FROM results.main.${kept} WHERE rowid >= ${from} AND rowid < ${from + count} ORDER BY rowid`,
      );
      return (await result.getRows()).map((row) => ({ f: row.map((value) => ({ v: cellOf(value) })) }));
    } finally {
      connection.closeSync();
    }
  }

  /** Notes when the table was made. */
  note(dataset: string, table: string): void {
    this.#created.set(`${dataset}.${table}`, Date.now());
  }

  createdAt(dataset: string, table: string): number {
    return this.#created.get(`${dataset}.${table}`) ?? 0;
  }

  /** Rows of a statement of the server's own. */
  async ask(sql: string, binds: string[] = []): Promise<unknown[][]> {
    const connection = await this.#instance.connect();
    try {
      return (await connection.runAndReadAll(sql, binds)).getRows();
    } finally {
      connection.closeSync();
    }
  }

  async connect(dataset?: string): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect();
    const home = dataset === undefined ? 'main' : dataset;
    try {
      await connection.run(`SET search_path = '${quoted(this.project)}.${quoted(home)},bq.main'`);
      return connection;
    } catch {
      connection.closeSync();
      throw new Refusal(
        404,
        'notFound',
        `Not found: Dataset ${this.project}:${home} was not found in location US`,
      );
    }
  }

  async #run(
    connection: DuckDBConnection,
    statements: Token[][],
    configuration: QueryConfiguration,
    dryRun: boolean,
  ): Promise<Outcome> {
    const { queryParameters = [], destinationTable } = configuration;
    const first = translate(statements[0]!, this.project);
    const statementType = statements.length > 1 ? 'SCRIPT' : typeOf(first);
    const none = { statementType, fields: [], rows: [], kept: null, total: 0, affected: null };
    if (destinationTable && statementType !== 'SELECT') {
      throw new Refusal(
        400,
        'invalid',
        `Cannot set destination table in jobs with ${statementType} statements`,
      );
    }
    if (statementType !== 'SELECT' && dryRun) return none;
    if (statementType === 'SCRIPT') return this.#script(connection, statements, configuration, none);
    if (statementType !== 'SELECT') {
      return { ...none, affected: await this.#change(connection, first, configuration) };
    }
    const prepared = await prepare(connection, first.sql, queryParameters);
    const fieldsOf = (names: readonly string[], typeOfColumn: (at: number) => DuckDBType) =>
      namesOf(names, first).map((name, at) => fieldOf(name, typeOfColumn(at)));
    if (dryRun) {
      const names = Array.from({ length: prepared.columnCount }, (_, at) => prepared.columnName(at));
      return { ...none, fields: fieldsOf(names, (at) => prepared.columnType(at)) };
    }
    if (destinationTable) return this.#into(connection, first.sql, configuration, none);
    const rows: RawRow[] = [];
    const result = await prepared.stream();
    const fields = fieldsOf(result.columnNames(), (at) => result.columnType(at));
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return { ...none, fields, rows, total: rows.length };
      for (const row of chunk.getRows()) rows.push({ f: row.map((value) => ({ v: cellOf(value) })) });
      if (rows.length > rowsInMemoryMax) break;
    }
    const { table, total } = await this.#keep(connection, first.sql, queryParameters);
    return { ...none, fields, kept: table, total };
  }

  /** A query whose result becomes a table, or rows of one. */
  async #into(
    connection: DuckDBConnection,
    sql: string,
    { destinationTable, queryParameters = [], writeDisposition }: QueryConfiguration,
    outcome: Outcome,
  ): Promise<Outcome> {
    const { datasetId, tableId } = destinationTable!;
    if (!/^[\p{L}\p{M}\p{N}\p{Pc}\p{Pd}\p{Zs}]+$/u.test(tableId)) {
      throw new Refusal(400, 'invalid', `Invalid table ID "${tableId}".`);
    }
    if ((await this.viewText(datasetId, tableId)) !== null) {
      const message = `${this.project}:${datasetId}.${tableId} is not allowed for this operation because it is currently a VIEW.`;
      throw new Refusal(400, 'invalid', message);
    }
    const target = [this.project, datasetId, tableId].map(quoted).join('.');
    const made =
      writeDisposition === 'WRITE_APPEND'
        ? `INSERT INTO ${target} BY NAME ${sql}`
        : `CREATE OR REPLACE TABLE ${target} AS ${sql}`;
    const prepared = await prepare(connection, made, queryParameters);
    this.note(datasetId, tableId);
    const total = await unlocked(async () => Number((await prepared.runAndReadAll()).getRows()[0]?.[0] ?? 0));
    return { ...outcome, total, affected: total };
  }

  /** Statement after statement; a transaction that is open when one fails is gone with its connection. */
  async #script(
    connection: DuckDBConnection,
    statements: Token[][],
    configuration: QueryConfiguration,
    none: Outcome,
  ): Promise<Outcome> {
    let outcome = none;
    let changed: number | null = null;
    let taken: 'THEN' | 'ELSE' = 'THEN';
    for (const { tokens, count, branch } of stepsOf(statements)) {
      if (count !== null) taken = count === changed ? 'THEN' : 'ELSE';
      if (branch !== null && branch !== taken) continue;
      const [first] = tokens;
      if (first?.text === 'SELECT') {
        const made = await this.#run(connection, [tokens], configuration, false);
        outcome = { ...made, statementType: 'SCRIPT' };
      } else if (tokens[1]?.text === 'TRANSACTION') await connection.run(first!.text);
      else changed = await this.#change(connection, translate(tokens, this.project), configuration);
    }
    return { ...outcome, affected: changed };
  }

  async #change(
    connection: DuckDBConnection,
    statement: Translated,
    { query, defaultDataset, queryParameters = [] }: QueryConfiguration,
  ): Promise<number | null> {
    const prepared = await prepare(connection, statement.sql, queryParameters);
    const result = await unlocked(() => prepared.runAndReadAll());
    const { tokens, description } = statement;
    const at = tokens.findIndex(({ text }) => text === 'VIEW' || text === 'TABLE');
    const ddl = tokens[0]?.text === 'CREATE' || tokens[0]?.text === 'DROP';
    if (ddl && at > 0) {
      const parts: string[] = [];
      for (let of = at + 1; tokens[of] && !['AS', '('].includes(tokens[of]!.text); of += 1) {
        if (tokens[of]!.kind === 'name') parts.push(tokens[of]!.text);
      }
      const [name, schema = defaultDataset?.datasetId] = parts.toReversed();
      this.note(schema!, name!);
      if (description !== undefined) {
        const table = [this.project, schema!, name!].map(quoted).join('.');
        await connection.run(`COMMENT ON TABLE ${table} IS '${description.replaceAll("'", "''")}'`);
      }
      await this.ask('DELETE FROM bq.main.view_texts WHERE key = $1', [`${schema}.${name}`]);
      if (tokens[at]!.text === 'VIEW' && tokens[0]!.text === 'CREATE') {
        const as = tokens.find(({ kind, text }, of) => of > at && kind === 'word' && text === 'AS')!;
        const text = query.slice(as.index! + 2).trim();
        await this.ask('INSERT INTO bq.main.view_texts VALUES ($1, $2)', [`${schema}.${name}`, text]);
      }
    }
    const [count] = result.getRows()[0] ?? [];
    return typeof count === 'bigint' ? Number(count) : null;
  }

  /** Keeps all rows of a SELECT, and lets go of the oldest when they are too many. */
  async #keep(connection: DuckDBConnection, sql: string, parameters: QueryParameter[]) {
    const table = `r${(this.#count += 1)}`;
    const prepared = await prepare(connection, `CREATE TABLE results.main.${table} AS ${sql}`, parameters);
    await prepared.run();
    const [[count]] = (await this.ask(`SELECT count(*) FROM results.main.${table}`)) as [[bigint]];
    const kept = { table, total: Number(count) };
    this.#kept.push(kept);
    while (this.#kept.length > 1 && this.#kept.reduce((sum, { total }) => sum + total, 0) > keptRowsMax) {
      await connection.run(`DROP TABLE results.main.${this.#kept.shift()!.table}`);
    }
    return kept;
  }

  /** The columns of a table or view; null where there is none. */
  async fieldsOf(dataset: string, table: string): Promise<Field[] | null> {
    const rows = (await this.ask(
      `SELECT column_name, ${columnTypeSql}, is_nullable FROM duckdb_columns()
       WHERE database_name = $1 AND schema_name = $2 AND table_name = $3 ORDER BY column_index`,
      [this.project, dataset, table],
    )) as [string, string, boolean][];
    if (rows.length === 0) return null;
    return rows.map(([name, type, nullable]) => restFieldOf(name, type, nullable));
  }
}

export async function prepare(
  connection: DuckDBConnection,
  sql: string,
  parameters: readonly QueryParameter[],
): Promise<DuckDBPreparedStatement> {
  const prepared = await connection.prepare(sql);
  const known = new Set(
    Array.from({ length: prepared.parameterCount }, (_, at) => prepared.parameterName(at + 1)),
  );
  const used = parameters.filter(({ name }) => known.has(name));
  const empty = parameters.find(
    ({ parameterValue: { value, arrayValues } }) => (value ?? arrayValues ?? null) === null,
  );
  if (empty) throw new Refusal(400, 'invalid', `The value of the query parameter '${empty.name}' is NULL.`);
  for (const name of known) {
    if (!used.some((parameter) => parameter.name === name)) {
      throw new Refusal(400, 'invalidQuery', `Query parameter '${name}' not found`);
    }
  }
  const binds = used.map((parameter) => [parameter.name, ...bindOf(parameter)] as const);
  prepared.bind(
    Object.fromEntries(binds.map(([name, value]) => [name, value])),
    Object.fromEntries(binds.map(([name, , type]) => [name, type])),
  );
  return prepared;
}

/** Of two that write one table DuckDB refuses the second, also when the first is being stopped; BigQuery lets it wait. */
export async function unlocked<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 40 || !/write-write conflict/i.test(String(error))) throw error;
      await sleep(50);
    }
  }
}
