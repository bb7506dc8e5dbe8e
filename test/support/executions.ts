import type { Execution } from '#warehouse/result-cache.ts';
import type { Answer } from '#warehouse/warehouse.ts';

function answerOf(value: unknown, bytes = 100): Answer {
  return { columns: [{ name: 'v', dataType: 'VARCHAR' }], rows: [[value]], truncated: false, bytes };
}

interface Policy {
  tags?: string[];
  maxAgeMs?: number;
  staleMs?: number;
}

/** Executions that end when they are told to. */
export function controlled({ tags = ['orders'], maxAgeMs, staleMs = 0 }: Policy = {}) {
  const runs: { signal: AbortSignal; end(value: unknown): void; fail(error: Error): void }[] = [];
  const failures: unknown[] = [];
  const execution: Execution = {
    policy: () => Promise.resolve({ tags, maxAgeMs: maxAgeMs ?? null, staleMs }),
    run(signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      signal.addEventListener('abort', () => reject(new Error('stopped')));
      runs.push({ signal, end: (value) => resolve(answerOf(value)), fail: reject });
      return promise;
    },
    failed: (error) => failures.push(error),
  };
  return { runs, failures, execution };
}

/** An execution that answers at once, and counts. */
export function instant(policy: Policy & { bytes?: number } = {}) {
  const { execution } = controlled(policy);
  const counted = {
    count: 0,
    execution: {
      ...execution,
      run: () => Promise.resolve(answerOf((counted.count += 1), policy.bytes)),
    },
  };
  return counted;
}
