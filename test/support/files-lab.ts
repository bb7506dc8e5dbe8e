import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ConnectorContext, Json, Part, StreamPlan, StreamSelection } from '#connectors/contract.ts';
import { duckDbType } from '#connectors/column-type.ts';
import { filesSource, type FilesConfig } from '#connectors/files/source.ts';
import { openDuckDb, type DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { selectionOf } from './move-stream.ts';

/** A files root of its own, and a DuckDB that may look into it. */
export interface FilesLab extends AsyncDisposable {
  root: string;
  context: ConnectorContext;
  /** What connectors logged, as "LEVEL message". */
  lines: string[];
  duckDb: DuckDbWarehouse;
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Rows of a query; `$root` stands for the files root. */
  rows(sql: string): Promise<unknown[][]>;
}

export async function openFilesLab(): Promise<FilesLab> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'sluice-files-')));
  const [root, pipesDir] = [join(home, 'data'), join(home, 'pipes')];
  await mkdir(root);
  await mkdir(pipesDir, { mode: 0o700 });
  const duckDb = await openDuckDb({ path: ':memory:', allowedDirectories: [root, pipesDir] });
  const lines: string[] = [];
  const context: ConnectorContext = {
    filesRoot: root,
    pipesDir,
    signal: new AbortController().signal,
    log: (level, message) => void lines.push(`${level} ${message}`),
    datastore: () => Promise.reject(new Error('no datastore here')),
  };
  return {
    root,
    context,
    lines,
    duckDb,
    async write(path, content) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    },
    async rows(sql) {
      await using session = await duckDb.session();
      return session.rows(sql.replaceAll('$root', root));
    },
    async [Symbol.asyncDispose]() {
      await duckDb[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** The rows of a plan's parts as DuckDB gives them, in the order of the parts. */
export async function rowsOf(plan: StreamPlan, lab: FilesLab): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  for (const part of plan.parts) rows.push(...(await rowsOfPart(part, lab)));
  return rows;
}

async function rowsOfPart(part: Part, lab: FilesLab): Promise<unknown[][]> {
  await using open = await part.open(lab.context.signal);
  await using session = await lab.duckDb.session();
  try {
    const rows = await session.rows(open.scan);
    await open.finished;
    return rows;
  } catch (error) {
    throw open.explain(error) ?? error;
  }
}

/** What a test asks of the files source beside the stream's name. */
export interface Asked {
  config?: Partial<FilesConfig>;
  selection?: Partial<StreamSelection>;
  state?: Json | null;
  resume?: Json | null;
  asText?: string[];
}

/** Plans one stream of the lab's files, and closes everything when `use` is through. */
export async function planned<T>(
  lab: FilesLab,
  name: string,
  asked: Asked,
  use: (plan: StreamPlan) => Promise<T>,
): Promise<T> {
  await using session = await filesSource.open({ path: '.', ...asked.config }, lab.context);
  const { state = null, resume = null, asText = [] } = asked;
  await using plan = await session.plan(selectionOf(name, asked.selection), { state, resume, asText });
  return await use(plan);
}

/** The rows of one stream of the lab's files. */
export function readStream(lab: FilesLab, name: string, asked: Asked = {}): Promise<unknown[][]> {
  return planned(lab, name, asked, (plan) => rowsOf(plan, lab));
}

/** DuckDB's names of the types of a stream's columns. */
export function typesOf(lab: FilesLab, name: string, asked: Asked = {}): Promise<Record<string, string>> {
  return planned(lab, name, asked, async (plan) =>
    Object.fromEntries(plan.columns.map((column) => [column.name, duckDbType(column.type)])),
  );
}
