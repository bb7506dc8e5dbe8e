import type { Log } from '#base/log.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import type { Store } from '#store/open-store.ts';
import type { Rates } from './rates.ts';
import type { EndpointRegistry } from './registry.ts';
import type { Usage } from './usage.ts';

/** What endpoints need of the process. */
export interface EndpointDeps {
  store: Store;
  log: Log;
  catalog: CatalogDeps;
  registry: EndpointRegistry;
  rates: Rates;
  usage: Usage;
  now(): Date;
}
