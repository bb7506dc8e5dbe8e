import { LRUCache } from 'lru-cache';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Store } from '#store/open-store.ts';
import { type Endpoint, endpointOf } from './served.ts';

/** The endpoints that a project serves, as of one moment: never changed, but replaced as a whole. */
export interface ProjectEndpoints {
  projectId: string;
  all: readonly Endpoint[];
  /** By "v1/users/active". */
  byPath: ReadonlyMap<string, Endpoint>;
}

/** What is served, in memory, and renewed when any process changes it. */
export interface EndpointRegistry extends AsyncDisposable {
  of(projectId: string): Promise<ProjectEndpoints>;
  /** The endpoint of that path which anybody may call, whichever project it is of. */
  openToAll(path: string): Promise<Endpoint | undefined>;
  /** To be called once a change can be read: this process serves it before that returns, all others soon after. */
  changed(projectId: string): Promise<void>;
}

const channel = 'sluice_endpoints';
/**
 * Endpoints of the projects that were asked for last, each project counting as some; the others are read again. With its part
 * of a project's schema an endpoint takes 13 KiB, and a project without any 40.
 */
const endpointsMax = 10_000;
const endpointsOfNone = 3;

const servedSelect = {
  id: true,
  projectId: true,
  name: true,
  version: true,
  state: true,
  deprecatedAt: true,
  sunsetAt: true,
  replacement: true,
  updatedAt: true,
  served: true,
} as const;

/** Listens until it is disposed of. Keeps as many endpoints, and those of the project that was asked for last in any case. */
export async function openRegistry(
  store: Store,
  log: Log,
  keptMax: number = endpointsMax,
): Promise<EndpointRegistry> {
  const { db } = store;
  const projects = new LRUCache<string, Promise<ProjectEndpoints>>({ maxSize: keptMax });
  const keep = (projectId: string, found: Promise<ProjectEndpoints>, count: number): void => {
    // An equal value would keep the size that it had.
    projects.delete(projectId);
    projects.set(projectId, found, { size: Math.min(endpointsOfNone + count, keptMax) });
  };
  let open: Promise<ReadonlyMap<string, Endpoint>> | null = null;

  const load = async (projectId: string): Promise<ProjectEndpoints> => {
    const all = await readServed(db, { projectId });
    return { projectId, all, byPath: new Map(all.map((endpoint) => [endpoint.path, endpoint])) };
  };
  const forget = (projectId: string): void => {
    projects.delete(projectId);
    open = null;
  };
  const listening = await store.listen(channel, forget, () => {
    log.info('All endpoints are read anew, since news of changes may have been missed.');
    projects.clear();
    open = null;
  });
  return {
    of(projectId) {
      const known = projects.get(projectId);
      if (known) return known;
      const found = load(projectId);
      keep(projectId, found, 0);
      found.then(
        ({ all }) => projects.peek(projectId) === found && keep(projectId, found, all.length),
        // What could not be read is read again by whoever asks next.
        () => projects.peek(projectId) === found && projects.delete(projectId),
      );
      return found;
    },
    async openToAll(path) {
      open ??= readServed(db, { isPublic: true }).then(
        (all) => new Map(all.map((each) => [each.path, each])),
      );
      const reading = open;
      reading.catch((error: unknown) => {
        log.warn('Public endpoints could not be read.', { error: messageOf(error) });
        if (open === reading) open = null;
      });
      return (await reading).get(path);
    },
    async changed(projectId) {
      forget(projectId);
      await db.$executeRaw`SELECT pg_notify(${channel}, ${projectId})`;
    },
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

async function readServed(
  db: Store['db'],
  where: { projectId: string } | { isPublic: true },
): Promise<Endpoint[]> {
  const rows = await db.endpoint.findMany({
    where: { ...where, deletedAt: null, state: { not: 'DRAFT' } },
    select: servedSelect,
    orderBy: [{ name: 'asc' }, { version: 'asc' }],
  });
  return rows.map(endpointOf);
}
