import { randomUUID } from 'node:crypto';
import { Refusal } from './refusals.ts';

/** A job as it runs: a request with its id makes it once. */
export interface Job<T> {
  id: string;
  configuration: Record<string, unknown>;
  outcome: Promise<T | Refusal>;
  state: 'RUNNING' | 'DONE';
  stop(why: Refusal): void;
}

type Work<T> = (onStart: (stop: () => void) => void) => Promise<T>;

const keptJobs = 1_000;

/** The jobs of a project. */
export class Jobs<T> {
  readonly #jobs = new Map<string, Job<T>>();

  /** How many run now. */
  get running(): number {
    return [...this.#jobs.values()].filter(({ state }) => state === 'RUNNING').length;
  }

  get(id: string): Job<T> {
    const job = this.#jobs.get(id);
    if (job) return job;
    throw new Refusal(404, 'notFound', `Not found: Job ${id}`);
  }

  /** Begins a job, which is stopped after so many milliseconds. Fails when there is one by that id. */
  begin(
    configuration: Record<string, unknown>,
    work: Work<T>,
    { id = `job_${randomUUID()}`, timeoutMs }: { id?: string | undefined; timeoutMs?: number | undefined },
  ): Job<T> {
    if (this.#jobs.has(id)) throw new Refusal(409, 'duplicate', `Already Exists: Job ${id}`);
    let stopped: Refusal | null = null;
    let interrupt = () => {};
    const stop = (why: Refusal) => {
      stopped ??= why;
      interrupt();
    };
    const running = work((stopIt) => {
      interrupt = stopIt;
      if (stopped) stopIt();
    });
    const late = new Refusal(400, 'timeout', 'Job timed out: it ran longer than its jobTimeoutMs.');
    const limit = timeoutMs === undefined ? undefined : setTimeout(() => stop(late), timeoutMs);
    const job: Job<T> = {
      id,
      configuration,
      state: 'RUNNING',
      stop,
      outcome: running
        .catch((error: unknown) => stopped ?? (error as Refusal))
        .finally(() => {
          job.state = 'DONE';
          clearTimeout(limit);
        }),
    };
    this.#jobs.set(id, job);
    if (this.#jobs.size > keptJobs) this.#jobs.delete(this.#jobs.keys().next().value!);
    return job;
  }
}
