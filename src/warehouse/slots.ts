/** Lets at most `slotsMax` runs go on at once; the others wait in their order. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(slotsMax: number) {
    this.#free = slotsMax;
  }

  /** Waits for a slot and gives back what frees it, to be called once. Rejects with the signal's reason while it waits. */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal!.reason);
      };
      const enter = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#waiting.push(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

/** A slot of each, taken in order; gives back what frees them all. Rejects as take does, and then holds none. */
export async function takeEach(all: readonly Slots[], signal?: AbortSignal): Promise<() => void> {
  const taken: (() => void)[] = [];
  const free = () => taken.forEach((each) => each());
  try {
    for (const slots of all) taken.push(await slots.take(signal));
  } catch (error) {
    free();
    throw error;
  }
  return free;
}
