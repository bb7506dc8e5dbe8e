import type { Engine } from './engine.ts';
import { Refusal } from './refusals.ts';
import { quoted } from './translate.ts';

/* Datasets and tables, as the REST API tells of them. */

export async function listDatasets(engine: Engine): Promise<object> {
  const rows = await engine.ask(
    `SELECT schema_name FROM duckdb_schemas() WHERE database_name = $1
     AND schema_name NOT IN ('main', 'information_schema', 'pg_catalog') AND schema_name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1`,
    [engine.project],
  );
  return { datasets: (rows as [string][]).map(([name]) => resourceOf(engine, name)) };
}

export async function datasetOf(engine: Engine, dataset: string): Promise<object> {
  await mustExist(engine, dataset);
  return resourceOf(engine, dataset);
}

export async function createDataset(
  engine: Engine,
  { datasetReference: { datasetId } }: { datasetReference: { datasetId: string } },
): Promise<object> {
  if (!/^\w+$/.test(datasetId)) throw new Refusal(400, 'invalid', `Invalid dataset ID "${datasetId}".`);
  try {
    await engine.ask(`CREATE SCHEMA ${quoted(engine.project)}.${quoted(datasetId)}`);
  } catch (error) {
    if (!/already exists/.test(String(error))) throw error;
    throw new Refusal(409, 'duplicate', `Already Exists: Dataset ${engine.project}:${datasetId}`);
  }
  return resourceOf(engine, datasetId);
}

export async function listTables(engine: Engine, dataset: string, asked: URLSearchParams): Promise<object> {
  await mustExist(engine, dataset);
  const rows = (await engine.ask(
    `SELECT table_name, table_type FROM bq.main.TABLES WHERE table_schema = $1 ORDER BY 1`,
    [dataset],
  )) as [string, string][];
  const from = Number(asked.get('pageToken') ?? 0);
  const count = Number(asked.get('maxResults') ?? 50);
  const tables = rows.slice(from, from + count).map(([name, type]) => ({
    tableReference: { projectId: engine.project, datasetId: dataset, tableId: name },
    type: type === 'VIEW' ? 'VIEW' : 'TABLE',
  }));
  const isMore = from + count < rows.length;
  return { tables, totalItems: rows.length, ...(isMore && { nextPageToken: String(from + count) }) };
}

export async function tableOf(engine: Engine, dataset: string, table: string): Promise<object> {
  const fields = await engine.fieldsOf(dataset, table);
  if (fields === null) throw missing(`Table ${engine.project}:${dataset}.${table}`);
  const view = await engine.viewText(dataset, table);
  const [[comment] = [null]] = await engine.ask(
    'SELECT comment FROM duckdb_tables() WHERE database_name = $1 AND schema_name = $2 AND table_name = $3',
    [engine.project, dataset, table],
  );
  const reference = {
    tableReference: { projectId: engine.project, datasetId: dataset, tableId: table },
    schema: { fields },
    creationTime: String(engine.createdAt(dataset, table)),
    ...(typeof comment === 'string' && comment !== '' && { description: comment }),
  };
  if (view !== null) return { ...reference, type: 'VIEW', view: { query: view, useLegacySql: false } };
  const [[count]] = (await engine.ask(
    `SELECT count(*) FROM ${[engine.project, dataset, table].map(quoted).join('.')}`,
  )) as [[bigint]];
  return { ...reference, type: 'TABLE', numRows: String(count) };
}

export async function deleteTable(engine: Engine, dataset: string, table: string): Promise<null> {
  if ((await engine.fieldsOf(dataset, table)) === null) {
    throw missing(`Table ${engine.project}:${dataset}.${table}`);
  }
  const kind = (await engine.viewText(dataset, table)) === null ? 'TABLE' : 'VIEW';
  await engine.ask(`DROP ${kind} ${[engine.project, dataset, table].map(quoted).join('.')}`);
  await engine.ask('DELETE FROM bq.main.view_texts WHERE key = $1', [`${dataset}.${table}`]);
  return null;
}

async function mustExist(engine: Engine, dataset: string): Promise<void> {
  const rows = await engine.ask(
    'SELECT 1 FROM duckdb_schemas() WHERE database_name = $1 AND schema_name = $2',
    [engine.project, dataset],
  );
  if (rows.length === 0) throw missing(`Dataset ${engine.project}:${dataset}`);
}

function missing(what: string): Refusal {
  return new Refusal(404, 'notFound', `Not found: ${what} was not found in location US`);
}

function resourceOf({ project }: Engine, datasetId: string): object {
  return { datasetReference: { projectId: project, datasetId }, location: 'US' };
}
