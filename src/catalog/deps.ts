import type { SecretBox } from '#accounts/secrets.ts';
import type { Log } from '#base/log.ts';
import type { Store } from '#store/open-store.ts';
import type { FindBreaks } from './breaks.ts';
import type { Datastores } from './datastores.ts';
import type { Memory } from './memory.ts';

/** What the catalog's functions need of the process. */
export interface CatalogDeps {
  store: Store;
  log: Log;
  secrets: SecretBox;
  datastores: Datastores;
  memory: Memory;
  /** What a change of mappings or columns breaks of what floors above define. */
  findBreaks: FindBreaks;
  now(): Date;
}
