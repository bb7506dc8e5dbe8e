/** Remembers that it rang since somebody waited. */
export class Doorbell {
  private readonly signal: AbortSignal;
  private rung = false;
  private wake = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.wake.resolve(), { once: true });
  }

  ring(): void {
    this.rung = true;
    this.wake.resolve();
  }

  /** Resolves at the next ring, at once when it has rung, when the signal aborts, or after so long. */
  async wait(ms: number): Promise<void> {
    if (!this.rung && !this.signal.aborted) {
      this.wake = Promise.withResolvers();
      const timer = setTimeout(() => this.wake.resolve(), ms);
      await this.wake.promise;
      clearTimeout(timer);
    }
    this.rung = false;
  }
}
