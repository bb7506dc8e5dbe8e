import { Writable } from 'node:stream';
import type pg from 'pg';

/** What this needs of pg's connection: its socket, and the way to send one simple query. */
interface Connection {
  stream: Writable;
  query(text: string): void;
}

const copyDataCode = 0x64;
const copyDone = Buffer.from([0x63, 0, 0, 0, 4]);
const copyFailCode = 0x66;

type Callback = (error?: Error | null) => void;

/**
 * Runs one COPY … FROM STDIN of the bytes that are written to it, no faster than the socket takes them. Ending it ends the COPY;
 * it has finished when the server says that all rows are in. Destroyed before, it makes the server drop what it got.
 * Any failure is its error: the server's own, or pg's when the connection is lost.
 */
export class CopyIn extends Writable implements pg.Submittable {
  /** Settles when the connection is free for the next statement; rejects when the COPY failed. */
  readonly done: Promise<void>;
  /** Rows that the server took, once it has finished. */
  rows = 0n;
  readonly #sql: string;
  readonly #settle: { resolve: () => void; reject: (error: Error) => void };
  #connection: Connection | undefined;
  /** The server has said that it takes bytes. */
  #isOpen = false;
  #waiting: (() => void) | undefined;
  #onFinal: Callback | undefined;
  #failure: Error | undefined;
  #isEnded = false;

  constructor(sql: string) {
    super({ highWaterMark: 256 * 1024 });
    this.#sql = sql;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#settle = { resolve, reject };
    promise.catch(() => undefined);
    // Whoever waits for `done` is told; nobody need listen.
    this.on('error', () => undefined);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#whenOpen(() => {
      const { stream } = this.#connection!;
      const header = Buffer.allocUnsafe(5);
      header[0] = copyDataCode;
      header.writeUInt32BE(chunk.length + 4, 1);
      stream.cork();
      stream.write(header);
      const isTaken = stream.write(chunk);
      stream.uncork();
      if (isTaken || stream.destroyed) callback();
      else this.#afterDrain(stream, callback);
    });
  }

  /** A connection that is lost never drains; pg then says so by handleError. */
  #afterDrain(stream: Writable, callback: Callback): void {
    const go = () => {
      stream.removeListener('drain', go);
      stream.removeListener('close', go);
      callback();
    };
    stream.once('drain', go);
    stream.once('close', go);
  }

  override _final(callback: Callback): void {
    this.#whenOpen(() => {
      this.#isEnded = true;
      this.#onFinal = callback;
      this.#connection!.stream.write(copyDone);
    });
  }

  override _destroy(error: Error | null, callback: Callback): void {
    if (this.#isOpen && !this.#isEnded && !this.#failure) this.#fail();
    this.#isEnded = true;
    callback(error);
  }

  #fail(): void {
    const reason = Buffer.from('The rows did not come whole.\0');
    const message = Buffer.allocUnsafe(5);
    message[0] = copyFailCode;
    message.writeUInt32BE(reason.length + 4, 1);
    this.#connection!.stream.write(Buffer.concat([message, reason]));
  }

  #whenOpen(work: () => void): void {
    if (this.#isOpen) work();
    else this.#waiting = work;
  }

  // What follows is called by pg.

  submit(connection: pg.Connection): void {
    this.#connection = connection as unknown as Connection;
    this.#connection.query(this.#sql);
  }

  handleCopyInResponse(): void {
    this.#isOpen = true;
    if (this.destroyed) this.#fail();
    this.#waiting?.();
    this.#waiting = undefined;
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.rows = BigInt(/(\d+)$/.exec(text)?.[1] ?? 0);
  }

  handleError(error: Error): void {
    this.#failure ??= error;
    this.#settle.reject(error);
    this.destroy(error);
  }

  handleReadyForQuery(): void {
    if (this.#failure) return;
    this.#settle.resolve();
    this.#onFinal?.();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
}
