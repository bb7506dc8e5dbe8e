import { setTimeout as wait } from 'node:timers/promises';
import { watch } from 'chokidar';
import { canonicalJson } from '#accounts/canonical-json.ts';
import { InputError, messageOf } from '#base/errors.ts';
import type { Endpoint as EndpointRow } from '#generated/prisma/client.ts';
import type { Author } from './change.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { type EndpointFile, problemLine, readFolder } from './folder.ts';
import { publishEndpoint } from './publish.ts';
import { deleteEndpoint, saveEndpoint } from './save.ts';

/** Files that change together are read together. */
const settleMs = 100;
/** A file that is gone for so long was taken away. */
const goneMs = 500;
/** How often a folder is looked at that cannot be served yet: there is no project, or a datastore is away. */
const againMs = 5_000;

/** Files that are published at once: each waits for its engine and the store. */
const appliedAtOnce = 4;

/** A folder that is served for as long as this is not disposed of. */
export interface FollowedFolder extends AsyncDisposable {
  /** Reads the folder once more; resolves when what it says is served. */
  apply(): Promise<void>;
}

/**
 * Serves what the files of a folder declare, and what they declare when they change: to the first project of the store. A
 * file that is wrong is told in the log, and what it declared before is served on.
 */
export async function followFolder(
  deps: EndpointDeps,
  { folder, homeId }: { folder: string; homeId: string },
): Promise<FollowedFolder> {
  const told = new Set<string>();
  let applying: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const applyOnce = async (): Promise<void> => {
    const files = await readSettled(deps, { folder, homeId });
    const problems = await applyFiles(deps, homeId, files);
    for (const problem of problems)
      if (!told.has(problem)) deps.log.warn(`An endpoint is not served as its file says. ${problem}`);
    told.clear();
    for (const problem of problems) told.add(problem);
    if (problems.length > 0) later(againMs);
  };
  const apply = (): Promise<void> => {
    applying = applying.then(applyOnce).catch((error: unknown) => {
      deps.log.warn('The endpoints folder was not read.', { folder, error: messageOf(error) });
      later(againMs);
    });
    return applying;
  };
  const later = (ms: number): void => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => void apply(), ms).unref();
  };
  const watcher = watch(folder, { ignoreInitial: true, ignored: /(^|[/\\])\.[^/\\.]/ });
  watcher.on('all', () => later(settleMs));
  watcher.on('error', (error) =>
    deps.log.warn('The endpoints folder is not watched.', { folder, error: messageOf(error) }),
  );
  await apply();
  return {
    apply,
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await watcher.close();
      await applying;
    },
  };
}

/**
 * The files of the folder. When one that is served is not among them they are read once more, a little later: editors and
 * checkouts take a file away before they put the new one in its place, and no call is to find it gone in between.
 */
async function readSettled(
  { store }: EndpointDeps,
  { folder, homeId }: { folder: string; homeId: string },
): Promise<EndpointFile[]> {
  const files = await readFolder(folder);
  const served = await store.db.endpoint.findMany({
    where: { origin: 'FILE', homeId, deletedAt: null },
    select: { file: true },
  });
  const names = new Set(files.map(({ name }) => name));
  if (served.every(({ file }) => file !== null && names.has(file))) return files;
  await wait(goneMs);
  return readFolder(folder);
}

/** Makes what is served that of the files, and says what could not be, a line each. */
async function applyFiles(
  deps: EndpointDeps,
  homeId: string,
  files: readonly EndpointFile[],
): Promise<string[]> {
  const { db } = deps.store;
  const served = await db.endpoint.findMany({ where: { origin: 'FILE', homeId, deletedAt: null } });
  if (files.length === 0 && served.length === 0) return [];
  const project = await db.project.findFirst({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
  if (!project) return ['There is no project yet: sign up first.'];
  const author = (name: string): Author => ({
    projectId: project.id,
    memberId: null,
    file: { name, homeId },
  });
  const problems: string[] = [];
  const known = new Map(
    served.filter(({ projectId }) => projectId === project.id).map((row) => [keyOf(row), row]),
  );
  const declared = new Set<string>();
  const changed: { name: string; declaration: Declaration }[] = [];
  for (const { name, declaration, problems: wrong } of files) {
    problems.push(...wrong.map((problem) => problemLine(name, problem)));
    if (!declaration) continue;
    declared.add(keyOf(declaration.metadata));
    if (isServedAs(known.get(keyOf(declaration.metadata)), name, declaration)) continue;
    changed.push({ name, declaration });
  }
  for (let from = 0; from < changed.length; from += appliedAtOnce) {
    const together = changed.slice(from, from + appliedAtOnce);
    const applied = together.map(({ name, declaration }) => applyFile(deps, author(name), declaration));
    problems.push(...(await Promise.all(applied)).flat());
  }
  const wrongFiles = new Set(files.filter(({ declaration }) => !declaration).map(({ name }) => name));
  for (const row of served) {
    // What a wrong file said before it went wrong stays.
    if (declared.has(keyOf(row)) || (row.file !== null && wrongFiles.has(row.file))) continue;
    await deleteEndpoint(deps, { ...author(row.file ?? ''), projectId: row.projectId }, { id: row.id });
    deps.log.info(`The endpoint "${row.name}" version ${row.version} is served no longer: its file is gone.`);
  }
  return problems;
}

function keyOf({ name, version }: { name: string; version: number }): string {
  return `${name} ${version}`;
}

async function applyFile(deps: EndpointDeps, author: Author, declaration: Declaration): Promise<string[]> {
  const { name, version } = declaration.metadata;
  const { projectId } = author;
  try {
    const before = await deps.store.db.endpoint.findFirst({
      where: { projectId, name, version, deletedAt: null },
    });
    const isSaved =
      before?.file === author.file?.name && canonicalJson(before?.declaration) === canonicalJson(declaration);
    if (before && isSaved) await publishEndpoint(deps, author, { id: before.id });
    else await saveEndpoint(deps, author, { declaration, publish: true });
    deps.log.info(`The endpoint "${name}" version ${version} is served as its file says.`, {
      file: author.file?.name,
    });
    return [];
  } catch (error) {
    const file = author.file?.name;
    if (error instanceof InputError)
      return error.problems.map(({ message, path }) => `${file}: ${path.join('.')}: ${message}`);
    return [`${file}: ${messageOf(error)}`];
  }
}

/** Whether there is nothing to do for a file. */
function isServedAs(row: EndpointRow | undefined, file: string, declaration: Declaration): boolean {
  if (row?.file !== file || row.state === 'DRAFT') return false;
  const { declaration: served } = (row.served ?? {}) as { declaration?: unknown };
  const said = canonicalJson(declaration);
  return canonicalJson(row.declaration) === said && canonicalJson(served) === said;
}
