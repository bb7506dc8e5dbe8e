import type { SecretBox } from '#accounts/secrets.ts';
import type { Log } from '#base/log.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import type { Store } from '#store/open-store.ts';

/** What metrics and signals need of the process. */
export interface MetricDeps {
  store: Store;
  log: Log;
  catalog: CatalogDeps;
  secrets: SecretBox;
  now(): Date;
}
