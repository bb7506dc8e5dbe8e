import { LRUCache } from 'lru-cache';

/** Whose questions are made from what is remembered, and as of when. */
export interface Reader {
  projectId: string;
  /**
   * Of the project's metrics, mappings and mapped columns: another one as soon as one of them changes. Left out, nothing is
   * remembered: what has just changed them, or goes on after a change, reads them anew.
   */
  revision?: string | undefined;
}

const projectsMax = 1_000;

interface Known {
  revision: string;
  values: Map<string, unknown>;
}

/**
 * What questions of projects are made from, in this process. Never older than the revision that the reader was told: what is
 * remembered of a revision was read after it was known.
 */
export class Memory {
  readonly #projects = new LRUCache<string, Known>({ max: projectsMax });

  /** What is remembered of that revision, to be read and added to; null where nothing may be. */
  of({ projectId, revision }: Reader): Map<string, unknown> | null {
    if (revision === undefined) return null;
    const known = this.#projects.get(projectId);
    if (known?.revision === revision) return known.values;
    const values = new Map<string, unknown>();
    this.#projects.set(projectId, { revision, values });
    return values;
  }
}

/** The value of that name, remembered or loaded. A load that fails is not remembered. */
export function remembered<T>(
  values: Map<string, unknown> | null,
  name: string,
  load: () => Promise<T>,
): Promise<T> {
  if (values === null) return load();
  const known = values.get(name) as Promise<T> | undefined;
  if (known) return known;
  const loading = load();
  values.set(name, loading);
  loading.catch(() => values.delete(name));
  return loading;
}
