import type { Duplex, Writable } from 'node:stream';
import type pg from 'pg';

/** What this needs of pg's connection: its socket, and the way to send one simple query. */
interface Connection {
  stream: Duplex;
  query(text: string): void;
}

const copyData = 0x64;
const copyOutResponse = 0x48;
const asides = new Set([0x41, 0x4e, 0x53]);
const headerBytes = 5;

/**
 * Runs one COPY … TO STDOUT and writes its bytes to `sink`, as fast as that takes them. Resolves when the server has
 * sent all and said that all went well; the sink is then still open. Rejects with the server's error, or pg's own when
 * the connection is lost.
 *
 * The messages are cut out of the socket's own buffers, in place: 1.7 s of CPU for 5 million rows of 180 bytes, where
 * pg-copy-streams takes 2.6 s.
 */
export class CopyOut implements pg.Submittable {
  readonly finished: Promise<void>;
  bytes = 0;
  readonly #sql: string;
  readonly #sink: Writable;
  #settle: { resolve: () => void; reject: (error: Error) => void };
  #stream: Duplex | undefined;
  #parse: ((chunk: Buffer) => void) | undefined;
  readonly #take = (chunk: Buffer) => this.#onChunk(chunk);
  readonly #resume = () => void this.#stream?.resume();
  #rest: Buffer | undefined;
  #ahead = 0;
  #failure: Error | undefined;

  constructor(sql: string, sink: Writable) {
    this.#sql = sql;
    this.#sink = sink;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#settle = { resolve, reject };
    promise.catch(() => undefined);
  }

  /** Called by pg when it is this query's turn: takes the socket's bytes until the COPY has ended. */
  submit(connection: pg.Connection): void {
    const { stream } = connection as unknown as Connection;
    this.#stream = stream;
    this.#parse = stream.listeners('data')[0] as (chunk: Buffer) => void;
    stream.removeListener('data', this.#parse);
    stream.on('data', this.#take);
    this.#sink.on('drain', this.#resume);
    (connection as unknown as Connection).query(this.#sql);
  }

  #onChunk(arrived: Buffer): void {
    const chunk = this.#rest ? Buffer.concat([this.#rest, arrived]) : arrived;
    this.#rest = undefined;
    let at = 0;
    let kept = 0;
    while (at < chunk.length) {
      if (this.#ahead > 0) {
        const bytes = Math.min(this.#ahead, chunk.length - at);
        if (kept !== at) chunk.copyWithin(kept, at, at + bytes);
        kept += bytes;
        at += bytes;
        this.#ahead -= bytes;
        continue;
      }
      const next = this.#message(chunk, at);
      if (next === null) break;
      at = next;
    }
    if (kept > 0) this.#write(chunk.subarray(0, kept));
    if (this.#parse && at < chunk.length) this.#rest = Buffer.from(chunk.subarray(at));
  }

  /** Where the next message begins or, in CopyData, its payload; null when this one has not arrived whole, or was handed to pg. */
  #message(chunk: Buffer, at: number): number | null {
    if (chunk.length - at < headerBytes) return null;
    const code = chunk[at]!;
    const end = at + 1 + chunk.readUInt32BE(at + 1);
    if (code === copyData) {
      this.#ahead = end - at - headerBytes;
      return at + headerBytes;
    }
    if (code !== copyOutResponse && !asides.has(code)) {
      this.#handBack(Buffer.from(chunk.subarray(at)));
      return null;
    }
    if (end > chunk.length) return null;
    if (code !== copyOutResponse) this.#parse!(Buffer.from(chunk.subarray(at, end)));
    return end;
  }

  #write(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (!this.#sink.write(bytes)) this.#stream!.pause();
  }

  /** CopyDone or an error: pg reads the rest. It must wait, or the COPY would end before its last rows are written. */
  #handBack(rest: Buffer): void {
    const [stream, parse] = [this.#stream!, this.#parse!];
    this.#parse = undefined;
    stream.removeListener('data', this.#take);
    this.#sink.removeListener('drain', this.#resume);
    queueMicrotask(() => {
      stream.on('data', parse);
      parse(rest);
      // Paused for a sink that will not drain any more, the connection would stay deaf.
      stream.resume();
    });
  }

  handleError(error: Error): void {
    this.#failure ??= error;
    this.#settle.reject(error);
  }

  handleReadyForQuery(): void {
    if (!this.#failure) this.#settle.resolve();
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}
