import { relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { watch } from 'chokidar';
import { canonicalJson } from '#accounts/canonical-json.ts';
import { InputError, messageOf, type Problem } from '#base/errors.ts';
import type { Endpoint as EndpointRow } from '#generated/prisma/client.ts';
import type { Author } from './change.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { type EndpointFile, placeOfFolder, problemLine, readFolder, stateOfFolder } from './folder.ts';
import { publishEndpoint } from './publish.ts';
import { deleteEndpoint, saveEndpoint } from './save.ts';

/** Files that change together are read together. */
const settleMs = 100;
/** A file that is gone for so long was taken away. */
const goneMs = 500;
/** How often a folder is looked at that cannot be served yet: there is no project, or a datastore is away. */
const againMs = 5_000;
/** How often it is looked at in any case: disks of networks tell of no change, nor does a link that leads elsewhere now. */
const lookMs = 10_000;

/** Files that are published at once: each waits for its engine and the store. */
const appliedAtOnce = 4;

/** A folder that is served for as long as this is not disposed of. */
export interface FollowedFolder extends AsyncDisposable {
  /** Reads the folder once more; resolves when what it says is served. */
  apply(): Promise<void>;
  /** The same where anything in it is another than when it was last read. */
  look(): Promise<void>;
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
  let state = '';
  const applyOnce = async (): Promise<void> => {
    state = await stateOfFolder(folder);
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
  const look = async (): Promise<void> => {
    const place = await placeOfFolder(folder);
    if (place !== watched) {
      watcher.unwatch(watched);
      watched = place;
      watcher.add(place);
    }
    if ((await stateOfFolder(folder)) !== state) await apply();
  };
  let watched = await placeOfFolder(folder);
  // Where the folder itself lies does not matter. "..data" is what a mounted volume of Kubernetes changes.
  const isHidden = (path: string) => /(^|[/\\])\.[^/\\.]/.test(relative(watched, path));
  // Links are not followed: two that lead to a folder around them would be followed for ever. `look` sees what is behind them.
  const watcher = watch(watched, { ignoreInitial: true, ignored: isHidden, followSymlinks: false });
  watcher.on('all', () => later(settleMs));
  watcher.on('error', (error) =>
    deps.log.warn('The endpoints folder is not watched.', { folder, error: messageOf(error) }),
  );
  await apply();
  const looking = setInterval(() => void look().catch(() => later(settleMs)), lookMs).unref();
  return {
    apply,
    look,
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      clearInterval(looking);
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
  const all = await db.endpoint.findMany({ where: { origin: 'FILE', deletedAt: null } });
  const served = all.filter((row) => row.homeId === homeId);
  if (files.length === 0 && served.length === 0) return [];
  const project = await db.project.findFirst({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
  if (!project) return ['There is no project yet: sign up first.'];
  const author = (name: string): Author => ({
    projectId: project.id,
    memberId: null,
    file: { name, homeId },
  });
  // What a gateway with the same files serves is served.
  const known = new Map(
    all.filter(({ projectId }) => projectId === project.id).map((row) => [keyOf(row), row]),
  );
  const right = files.filter(isRight);
  const declared = new Set(right.map(({ declaration }) => keyOf(declaration.metadata)));
  const changed = right.filter(
    ({ name, declaration }) => !isServedAs(known.get(keyOf(declaration.metadata)), name, declaration),
  );
  const failed = await applyEach(deps, author, changed);
  const wrongFiles = new Set(files.filter(({ declaration }) => !declaration).map(({ name }) => name));
  let hasGone = false;
  for (const row of served) {
    // What a wrong file said before it went wrong stays.
    if (declared.has(keyOf(row)) || (row.file !== null && wrongFiles.has(row.file))) continue;
    await deleteEndpoint(deps, { ...author(row.file ?? ''), projectId: row.projectId }, { id: row.id });
    deps.log.info(`The endpoint "${row.name}" version ${row.version} is served no longer: its file is gone.`);
    hasGone = true;
  }
  // The route or the field of one that is gone by now is free.
  const left = hasGone ? await applyEach(deps, author, [...failed.keys()]) : failed;
  return [
    ...files.flatMap(({ name, problems }) => problems.map((problem) => problemLine(name, problem))),
    ...[...left.values()].flat(),
  ];
}

type RightFile = EndpointFile & { declaration: Declaration };

function isRight(file: EndpointFile): file is RightFile {
  return file.declaration !== null;
}

/** Serves what the files declare, some at once. Of those that cannot be served it says why, a line each. */
async function applyEach(
  deps: EndpointDeps,
  author: (file: string) => Author,
  files: readonly RightFile[],
): Promise<Map<RightFile, string[]>> {
  const failed = new Map<RightFile, string[]>();
  for (let from = 0; from < files.length; from += appliedAtOnce) {
    const together = files.slice(from, from + appliedAtOnce).map(async (file) => {
      const problems = await applyFile(deps, author(file.name), file);
      if (problems.length > 0) failed.set(file, problems);
    });
    await Promise.all(together);
  }
  return failed;
}

function keyOf({ name, version }: { name: string; version: number }): string {
  return `${name} ${version}`;
}

async function applyFile(
  deps: EndpointDeps,
  author: Author,
  { name: file, declaration, placeOf }: RightFile,
): Promise<string[]> {
  const { name, version } = declaration.metadata;
  const { projectId } = author;
  try {
    const before = await deps.store.db.endpoint.findFirst({
      where: { projectId, name, version, deletedAt: null },
    });
    const isSaved =
      before?.file === file &&
      before.homeId === author.file?.homeId &&
      canonicalJson(before?.declaration) === canonicalJson(declaration);
    if (before && isSaved) await publishEndpoint(deps, author, { id: before.id });
    else await saveEndpoint(deps, author, { declaration, publish: true });
    deps.log.info(`The endpoint "${name}" version ${version} is served as its file says.`, {
      file,
    });
    return [];
  } catch (error) {
    const told = (problem: Problem) => problemLine(file, { ...problem, ...placeOf(problem.path) });
    return error instanceof InputError ? error.problems.map(told) : [`${file}: ${messageOf(error)}`];
  }
}

/** Whether there is nothing to do for a file. */
function isServedAs(row: EndpointRow | undefined, file: string, declaration: Declaration): boolean {
  if (row?.file !== file || row.state === 'DRAFT') return false;
  const { declaration: served } = (row.served ?? {}) as { declaration?: unknown };
  const said = canonicalJson(declaration);
  return canonicalJson(row.declaration) === said && canonicalJson(served) === said;
}
