import { randomUUID } from 'node:crypto';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Engine, Outcome, TableReference } from './engine.ts';
import { Refusal, refusalOf } from './refusals.ts';
import { quoted, typeText } from './translate.ts';

/** What a load job is told. */
export interface LoadConfiguration {
  sourceFormat: string;
  destinationTable: TableReference;
  schema: { fields: { name: string; type: string }[] };
  writeDisposition?: string;
  destinationTableProperties?: { description?: string };
}

export interface LoadRequest {
  jobReference?: { jobId?: string };
  configuration: { load: LoadConfiguration };
}

interface Session {
  request: LoadRequest;
  path: string;
  received: number;
}

/** Files that are on their way, each with the job that loads it. */
export class Uploads {
  readonly #sessions = new Map<string, Session>();
  readonly #folder: string;
  count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Gives the path below which the file is to be sent. */
  async begin(request: LoadRequest): Promise<string> {
    const id = randomUUID();
    const path = join(this.#folder, `${id}.parquet`);
    await writeFile(path, '');
    this.#sessions.set(id, { request, path, received: 0 });
    return `/uploads/${id}`;
  }

  /** Takes a piece, half of it when it breaks. Gives how many bytes are there, or, when all are, the file and its job. */
  async take(
    id: string,
    request: IncomingMessage,
    isBroken: boolean,
  ): Promise<{ received: number } | { request: LoadRequest; path: string }> {
    const session = this.#sessions.get(id);
    if (!session) throw new Refusal(404, 'notFound', 'There is no such upload.');
    const bytes = await buffer(request);
    const [, from, , total] =
      /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(request.headers['content-range'] ?? '') ?? [];
    if (from !== undefined && Number(from) !== session.received) {
      throw new Refusal(
        400,
        'invalid',
        `The piece begins at ${from}, and ${session.received} bytes are there.`,
      );
    }
    const taken = isBroken ? bytes.subarray(0, bytes.byteLength / 2) : bytes;
    await appendFile(session.path, taken);
    session.received += taken.byteLength;
    if (session.received < Number(total) || isBroken) return { received: session.received };
    this.count += 1;
    return { request: session.request, path: session.path };
  }
}

/** Makes a table of a file, and lets go of the file. */
export async function load(engine: Engine, path: string, configuration: LoadConfiguration): Promise<Outcome> {
  const { destinationTable, schema, destinationTableProperties = {} } = configuration;
  const { datasetId, tableId } = destinationTable;
  const table = [engine.project, datasetId, tableId].map(quoted).join('.');
  const columns = schema.fields.map(
    ({ name, type }) => `CAST(${quoted(name)} AS ${typeText(type)}) AS ${quoted(name)}`,
  );
  const comment = (destinationTableProperties.description ?? '').replaceAll("'", "''");
  const connection = await engine.connect();
  try {
    await connection.run('BEGIN');
    const made = await connection.runAndReadAll(
      `CREATE TABLE ${table} AS SELECT ${columns.join(', ')} FROM read_parquet('${path}')`,
    );
    await connection.run(`COMMENT ON TABLE ${table} IS '${comment}'`);
    await connection.run('COMMIT');
    engine.note(datasetId, tableId);
    const total = Number(made.getRows()[0]![0]);
    return { statementType: 'LOAD', fields: [], rows: [], kept: null, total, affected: total };
  } catch (error) {
    throw refusalOf(error, '', engine.project);
  } finally {
    connection.closeSync();
    await rm(path, { force: true });
  }
}
