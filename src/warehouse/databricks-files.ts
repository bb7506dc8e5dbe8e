import { openAsBlob } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabricksError, NoAnswer, NotLetIn } from './databricks-errors.ts';
import type { DatabricksSessions } from './databricks-session.ts';

const triesMax = 6;
const longestWaitMs = 30_000;
const passing = new Set([408, 429, 500, 502, 503, 504]);

/** A file of a volume by its whole path; nothing but names stands between the slashes. */
function urlOf(base: string, path: string): string {
  return `${base}/api/2.0/fs/files${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Puts a file of this machine into a volume, in place of one of its name. Fails as statements do. */
export async function putFile(
  sessions: DatabricksSessions,
  { from, to }: { from: string; to: string },
  signal: AbortSignal,
): Promise<void> {
  // It is read as it is sent.
  const body = await openAsBlob(from);
  const url = `${urlOf(sessions.url, to)}?overwrite=true`;
  const request = {
    method: 'PUT' as const,
    body,
    headers: { 'content-type': 'application/octet-stream' },
  };
  const response = await send(sessions, url, request, signal);
  await response.body?.cancel();
}

/** Removes a file of a volume, if it is there. */
export async function removeFile(
  sessions: DatabricksSessions,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await send(sessions, urlOf(sessions.url, path), { method: 'DELETE' }, signal);
  await response.body?.cancel();
}

/** A file of a volume, and when it was written. */
export interface VolumeFile {
  path: string;
  modifiedAt: Date;
}

/** The files of a folder of a volume; none when there is no folder. */
export async function listFiles(
  sessions: DatabricksSessions,
  path: string,
  signal: AbortSignal,
): Promise<VolumeFile[]> {
  const found: VolumeFile[] = [];
  const base = urlOf(sessions.url, path).replace('/fs/files/', '/fs/directories/');
  for (let page = ''; ;) {
    const response = await send(sessions, `${base}${page}`, { method: 'GET' }, signal);
    if (response.status === 404) return [];
    const { contents = [], next_page_token: next } = (await response.json()) as Listing;
    for (const { path: of, is_directory: isFolder, last_modified: modifiedMs = 0 } of contents) {
      if (!isFolder) found.push({ path: of, modifiedAt: new Date(modifiedMs) });
    }
    if (!next) return found;
    page = `?page_token=${encodeURIComponent(next)}`;
  }
}

interface Listing {
  contents?: { path: string; is_directory?: boolean; last_modified?: number }[];
  next_page_token?: string;
}

/** All of these requests may be made again. What is not there is an answer, but for PUT. */
async function send(
  sessions: DatabricksSessions,
  url: string,
  request: { method: 'PUT' | 'DELETE' | 'GET'; body?: Blob; headers?: Record<string, string> },
  signal: AbortSignal,
): Promise<Response> {
  let signedInAgain = false;
  for (let tries = 1; ; tries += 1) {
    const token = await sessions.token(signal);
    const headers = { ...request.headers, authorization: `Bearer ${token}`, 'user-agent': 'Sluice' };
    const response = await fetch(url, { ...request, headers, signal, redirect: 'error' }).catch(
      (error: unknown) => {
        signal.throwIfAborted();
        return new NoAnswer('the files of its volumes are not reached', { cause: error });
      },
    );
    if (response instanceof Response) {
      const isGone = request.method !== 'PUT' && response.status === 404;
      if (response.ok || isGone) return response;
      if (response.status === 401 && !signedInAgain) {
        signedInAgain = true;
        await response.body?.cancel();
        await sessions.signInAgain(signal);
        continue;
      }
      if (!passing.has(response.status)) throw await refusalOf(response);
      await response.body?.cancel();
    }
    const isAsked = response instanceof Response && response.headers.has('retry-after');
    if (tries === triesMax) {
      throw response instanceof Response
        ? new NoAnswer(`it answers with status ${response.status}`)
        : response;
    }
    const askedMs = isAsked ? Number(response.headers.get('retry-after')) * 1000 : Number.NaN;
    const waitMs = Number.isFinite(askedMs) ? askedMs : sessions.firstWaitMs * 2 ** (tries - 1);
    await sleep(Math.min(waitMs, longestWaitMs), undefined, { signal });
  }
}

async function refusalOf(response: Response): Promise<Error> {
  const { error_code: code = '', message = `it answers with status ${response.status}` } = (await response
    .json()
    .catch(() => ({}))) as { error_code?: string; message?: string };
  if (response.status === 401) return new NotLetIn(401, message);
  return new DatabricksError(`[${code || 'FILES'}] ${message}`, response.status === 403 ? '42501' : '42704');
}
