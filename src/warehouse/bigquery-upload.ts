import { open } from 'node:fs/promises';
import { BigQueryError } from './bigquery-errors.ts';
import { cancel, type Desk, jobDone, type JobReference } from './bigquery-query.ts';
import type { TableName } from './warehouse.ts';

/** A whole number of the 256 KiB that uploads are counted in. */
const pieceBytes = 8 * 1024 * 1024;
/** So often a broken upload is taken up again where it ended. */
const resumesMax = 8;

/** What is loaded, and what the table is then. */
export interface Load {
  into: TableName;
  columns: readonly { name: string; type: string }[];
  path: string;
  description: string;
}

/**
 * Makes a table of a Parquet file on this machine, with its description: both are there when the job has ended well, and
 * neither before. The table must be new: the job has its name, so that it is made once however often it is asked for.
 */
export async function loadParquet(desk: Desk, load: Load): Promise<void> {
  const { rest, settings, signal } = desk;
  const { into, columns, description } = load;
  const jobId = `sluice_load_${into.name.replace(/[^\w-]/g, '_')}`;
  const { projectId } = rest.login;
  const { location } = settings;
  const jobReference: JobReference = { projectId, jobId, ...(location !== undefined && { location }) };
  const configuration = {
    labels: { application: 'sluice' },
    load: {
      sourceFormat: 'PARQUET',
      destinationTable: { projectId: into.database, datasetId: into.schema, tableId: into.name },
      schema: { fields: columns.map(({ name, type }) => ({ name, type, mode: 'NULLABLE' })) },
      createDisposition: 'CREATE_IF_NEEDED',
      writeDisposition: 'WRITE_EMPTY',
      destinationTableProperties: { description },
    },
  };
  const job = await upload(desk, load.path, { jobReference, configuration });
  const stop = () => rest.leave(cancel(rest, job));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await jobDone(rest, job, signal);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Sends the file piece by piece, and the job with it, which begins when all of it is there. */
async function upload(
  { rest, signal }: Desk,
  path: string,
  job: { jobReference: JobReference; configuration: object },
): Promise<JobReference> {
  await using file = await open(path);
  const { size } = await file.stat();
  const begun = await rest.upload({
    method: 'POST',
    path: '/jobs',
    query: { uploadType: 'resumable' },
    headers: {
      'content-type': 'application/json; charset=UTF-8',
      'x-upload-content-type': 'application/octet-stream',
      'x-upload-content-length': String(size),
    },
    data: JSON.stringify(job),
    signal,
  });
  const url = rest.ownUrl(begun.headers.get('location') ?? '');
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(size, 1)));
  // Null when the job is made already: an answer before was lost.
  const send = async (range: string, data?: Buffer) => {
    try {
      return await rest.transfer({
        url,
        method: 'PUT',
        headers: { 'content-range': `bytes ${range}/${size}` },
        data,
        signal,
        isOnce: data !== undefined,
      });
    } catch (error) {
      if (error instanceof BigQueryError && error.status === 409) return null;
      throw error;
    }
  };
  let sent = 0;
  for (let resumes = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, sent);
    const range = bytesRead === 0 ? '*' : `${sent}-${sent + bytesRead - 1}`;
    const answer = await send(range, buffer.subarray(0, bytesRead)).catch((error: unknown) => {
      if (signal.aborted || resumes === resumesMax || isRefused(error)) throw error;
      resumes += 1;
      return send('*');
    });
    if (answer === null) return job.jobReference;
    if (answer.status !== 308) {
      return (JSON.parse(answer.text) as { jobReference: JobReference }).jobReference;
    }
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '') ?? [];
    const there = last === undefined ? 0 : Number(last) + 1;
    if (there <= sent && (resumes += 1) > resumesMax) throw new Error('the file does not arrive there');
    sent = there;
  }
}

/** Whether sending it once more would do no good. */
function isRefused(error: unknown): boolean {
  return error instanceof BigQueryError && error.status >= 400 && error.status < 500 && error.status !== 429;
}
