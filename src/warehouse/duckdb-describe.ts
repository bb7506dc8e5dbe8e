import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { DuckDbSession } from './duckdb-session.ts';
import { keyOf } from './duckdb-tables.ts';
import type { DescribedSelect, TableName } from './warehouse.ts';

/** The columns of a SELECT and all that it reads, as Warehouse.describe says. */
export async function describeSelect(session: DuckDbSession, select: string): Promise<DescribedSelect> {
  await session.parse(select);
  const tree = await syntaxOf(session, select);
  const catalog = await readCatalog(session);
  // Before DuckDB looks at what the SELECT names: of a file or a FIFO it would read the beginning.
  if (tree !== null) refuseOutside(tree, catalog);
  const { isSelect, columns, binds } =
    tree === null ? { isSelect: false, columns: [], binds: 0 } : await session.prepare(select);
  if (!isSelect) {
    throw new AppError('BAD_USER_INPUT', 'Only a SELECT is allowed here: the statement is of another kind.', {
      fix: 'Begin with SELECT, WITH or FROM.',
    });
  }
  if (binds > 0) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The SELECT has ${binds} parameters, for which there are no values.`,
      {
        fix: 'Write the values into the SELECT.',
      },
    );
  }
  const reads = new Map<string, TableName>();
  // DuckDB itself looks through views, macros and common table expressions, down to the tables alone.
  for (const name of session.tableNames(select)) add(catalog.find(partsOf(name)));
  await addViews(tree);
  return { columns, reads: [...reads.values()] };

  function add(found: Found | undefined): boolean {
    if (found === undefined || reads.has(keyOf(found.table))) return false;
    reads.set(keyOf(found.table), found.table);
    return true;
  }

  async function addViews(of: unknown): Promise<void> {
    for (const parts of namesIn(of)) {
      const found = catalog.find(parts);
      if (found?.view === undefined || !add(found)) continue;
      const body = await bodyOf(session, found.view);
      // What it names may be another thing by now than when it was made.
      refuseOutside(body, catalog);
      await addViews(body);
    }
  }
}

/** What lies under a name, and how a view was made. */
interface Found {
  table: TableName;
  view: string | undefined;
}

/** The functions that may stand where tables do. All others read files, settings or other SQL, or change something. */
const tableFunctions = new Set(['range', 'generate_series', 'unnest', 'repeat', 'json_each', 'json_tree']);

/** Functions over values that read settings or the files of other SQL, or change what outlives their statement. */
const refusedFunctions = new Set([
  'current_setting',
  'currval',
  'getvariable',
  'json_serialize_plan',
  'nextval',
  'setseed',
  'sleep_ms',
  'write_log',
]);

/** Fails when the SELECT reads anything but tables and views: its datastore can reach the files of other syncs. */
function refuseOutside(tree: unknown, catalog: Catalog): void {
  for (const node of nodesIn(tree)) {
    const called = (node.type === 'TABLE_FUNCTION' ? node.function : node) as
      { function_name?: string } | undefined;
    const name = called?.function_name?.toLowerCase() ?? '';
    if (node.type === 'TABLE_FUNCTION' && !tableFunctions.has(name)) {
      throw new AppError(
        'BAD_USER_INPUT',
        `The SELECT may not read from ${name}(): only tables and views, and ${[...tableFunctions].join(', ')}.`,
        { fix: 'Sync what it shall read into a table first.' },
      );
    }
    if (refusedFunctions.has(name) || name.startsWith('__internal')) {
      throw new AppError('BAD_USER_INPUT', `The SELECT may not call ${name}(): it is the engine's own.`, {
        fix: 'Compute from the columns of tables and views alone.',
      });
    }
    if (node.type === 'SHOW_REF') {
      throw new AppError('BAD_USER_INPUT', 'The SELECT may not hold SHOW, DESCRIBE or SUMMARIZE.', {
        fix: 'Read the tables and columns of the datastore by the query tables.',
      });
    }
  }
  for (const parts of namesIn(tree)) {
    // DuckDB would look for it among its own tables, and take "/a/file".csv and "file.csv" for files.
    if (catalog.find(parts)) continue;
    const meant = nearest(parts.join('.'), catalog.names);
    throw new AppError(
      'BAD_USER_INPUT',
      `The SELECT reads "${parts.join('.')}", which is no table or view.`,
      {
        fix: meant === undefined ? 'Sync what it shall read into a table first.' : `Did you mean "${meant}"?`,
      },
    );
  }
}

type SyntaxNode = Record<string, unknown>;

function* nodesIn(tree: unknown): Generator<SyntaxNode> {
  const open = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (!Array.isArray(node)) yield node as SyntaxNode;
    for (const each of Object.values(node)) if (typeof each === 'object' && each !== null) open.push(each);
  }
}

interface Catalog {
  /** For "did you mean". */
  names: readonly string[];
  find(parts: readonly string[]): Found | undefined;
}

async function readCatalog(session: DuckDbSession): Promise<Catalog> {
  const rows = await session.rows(
    `SELECT database_name, schema_name, table_name, NULL, current_database(), current_schema() FROM duckdb_tables()
     UNION ALL
     SELECT database_name, schema_name, view_name, sql, current_database(), current_schema() FROM duckdb_views()
     WHERE NOT internal`,
  );
  const all = new Map<string, Found>();
  let current = ['', ''];
  for (const row of rows as [string, string, string, string | null, string, string][]) {
    const table = { database: row[0], schema: row[1], name: row[2] };
    all.set(keyOf(table), { table, view: row[3] ?? undefined });
    current = [row[4], row[5]];
  }
  const [database, schema] = current as [string, string];
  const at = (...[db, space, name]: [string, string, string]) =>
    all.get(keyOf({ database: db, schema: space, name }));
  return {
    names: [...all.values()].map(({ table }) => `${table.schema}.${table.name}`),
    find(parts) {
      const [a = '', b = '', c = ''] = parts;
      if (parts.length === 1) return at(database, schema, a);
      // Two names are a schema and a table, or a database and a table of its first schema.
      if (parts.length === 2) return at(database, a, b) ?? at(a, schema, b);
      return at(a, b, c);
    },
  };
}

/** "raw"."the ""odd"" one" AS o → raw, the "odd" one */
function partsOf(written: string): string[] {
  const parts: string[] = [];
  const part = /(?:"((?:[^"]|"")*)"|([^\s."]+))(\.?)/y;
  for (let match = part.exec(written); match; match = part.exec(written)) {
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') break;
  }
  return parts;
}

/** The syntax tree of one SELECT; null for what is none, such as a PRAGMA. */
async function syntaxOf(session: DuckDbSession, select: string): Promise<unknown> {
  const [[text]] = (await session.rows('SELECT json_serialize_sql(CAST(? AS VARCHAR))', [select])) as [
    [string],
  ];
  const parsed = JSON.parse(text) as { error: boolean; statements?: unknown[] };
  return parsed.error ? null : parsed.statements;
}

/** The SELECT within CREATE VIEW raw.v (a, b) AS SELECT …, whatever the names before it hold. */
async function bodyOf(session: DuckDbSession, createView: string): Promise<unknown> {
  for (const { 0: token, index } of createView.matchAll(/"(?:[^"]|"")*"|\bAS\b/g)) {
    if (token !== 'AS') continue;
    const tree = await syntaxOf(session, createView.slice(index + 2));
    if (tree !== null) return tree;
  }
  return null;
}

/**
 * The names that stand where tables do, those of common table expressions left out where they hold: a name without a
 * schema, in what follows the expression, and in the expression itself when it is recursive.
 */
function* namesIn(tree: unknown, hidden: ReadonlySet<string> = new Set()): Generator<string[]> {
  if (Array.isArray(tree)) {
    for (const each of tree) yield* namesIn(each, hidden);
    return;
  }
  if (typeof tree !== 'object' || tree === null) return;
  const { cte_map: expressions, ...node } = tree as Record<string, unknown>;
  const within = new Set(hidden);
  for (const { key, value } of (expressions as Expressions | undefined)?.map ?? []) {
    const isRecursive = value.query.node.type === 'RECURSIVE_CTE_NODE';
    yield* namesIn(value, isRecursive ? new Set([...within, key.toLowerCase()]) : within);
    within.add(key.toLowerCase());
  }
  if (node.type === 'BASE_TABLE') {
    const parts = [node.catalog_name, node.schema_name, node.table_name].filter((part) => part !== '');
    if (parts.length > 1 || !within.has(String(node.table_name).toLowerCase())) yield parts.map(String);
  }
  for (const each of Object.values(node)) yield* namesIn(each, within);
}

interface Expressions {
  map: { key: string; value: { query: { node: { type: string } } } }[];
}
