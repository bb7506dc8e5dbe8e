import type { Asker } from '#catalog/ask.ts';
import type { MetricDeps } from './deps.ts';
import type { MetricOutcome, Question } from './question.ts';

/** What signals need beside what metrics do. */
export interface SignalDeps extends MetricDeps {
  /** Hosts, or host:port, that webhooks may go to though their addresses are not public. */
  webhookHosts: readonly string[];
  ask(deps: MetricDeps, asker: Asker, questions: readonly Question[]): Promise<MetricOutcome[]>;
  tablesOf(deps: MetricDeps, projectId: string, metric: string): Promise<readonly string[]>;
}
