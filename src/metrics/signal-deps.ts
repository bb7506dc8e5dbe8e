import type { MetricDeps } from './deps.ts';

/** What signals need beside what metrics do. */
export interface SignalDeps extends MetricDeps {
  /** Hosts, or host:port, that webhooks may go to though their addresses are not public. */
  webhookHosts: readonly string[];
}
