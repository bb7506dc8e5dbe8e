const sizeAtFirst = 512;

/**
 * What a client sends by PostgreSQL's extended protocol, as bytes in one piece for the socket: a piece each costs more than
 * what is in them.
 */
export class PostgresMessages {
  #bytes = Buffer.allocUnsafe(sizeAtFirst);
  #at = 0;

  /** A statement of that text, under no name. Fails for a NUL, behind which the server would read the next message. */
  parse(text: string, types: readonly number[] = []): this {
    if (text.includes('\0')) {
      throw Object.assign(new Error('The text of a statement holds a NUL character.'), { code: '22021' });
    }
    const end = this.#begin('P', 8 + 3 * text.length + 4 * types.length);
    this.#int8(0);
    this.#at += this.#bytes.write(text, this.#at);
    this.#int8(0);
    this.#int16(types.length);
    for (const type of types) this.#int32(type);
    return end();
  }

  /** The values of the statement's binds, in text but for bytes; what it answers comes in text. */
  bind(values: readonly (string | Buffer | null)[] = []): this {
    const sizes = values.map((value) => (value === null ? 0 : 3 * value.length));
    const end = this.#begin('B', 10 + 6 * values.length + sizes.reduce((sum, size) => sum + size, 0));
    this.#int16(0);
    const isPlain = !values.some((value) => value instanceof Buffer);
    this.#int16(isPlain ? 0 : values.length);
    if (!isPlain) for (const value of values) this.#int16(value instanceof Buffer ? 1 : 0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
    return end();
  }

  /** Asks what the rows of the bound statement look like. */
  describe(): this {
    const end = this.#begin('D', 2);
    this.#at += this.#bytes.write('P\0', this.#at);
    return end();
  }

  /** Runs the bound statement; at most so many rows, 0 for all. */
  execute(rowsMax = 0): this {
    const end = this.#begin('E', 5);
    this.#int8(0);
    this.#int32(rowsMax);
    return end();
  }

  /** A statement without binds, from its text to its run. */
  command(text: string): this {
    return this.parse(text).bind().execute();
  }

  /** Ends what is sent together: the server says when it is ready again, and after an error it goes on here. */
  sync(): this {
    return this.#begin('S', 0)();
  }

  /** Asks for what the server has to say so far. */
  flush(): this {
    return this.#begin('H', 0)();
  }

  /** Messages that were made before. */
  add(bytes: Buffer): this {
    this.#reserve(bytes.length);
    this.#at += bytes.copy(this.#bytes, this.#at);
    return this;
  }

  /** All of them. Nothing can be added after that. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Begins a message of at most so many bytes; what it gives back ends it. */
  #begin(code: string, sizeMax: number): () => this {
    this.#reserve(5 + sizeMax);
    this.#int8(code.charCodeAt(0));
    const lengthAt = this.#at;
    this.#at += 4;
    return () => {
      this.#bytes.writeInt32BE(this.#at - lengthAt, lengthAt);
      return this;
    };
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(2 * (this.#at + size));
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#bytes = bytes;
  }

  #value(value: string | Buffer | null): void {
    const lengthAt = this.#at;
    this.#int32(-1);
    if (value === null) return;
    this.#at +=
      typeof value === 'string' ? this.#bytes.write(value, this.#at) : value.copy(this.#bytes, this.#at);
    this.#bytes.writeInt32BE(this.#at - lengthAt - 4, lengthAt);
  }

  #int8(value: number): void {
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  #int16(value: number): void {
    this.#at = this.#bytes.writeUInt16BE(value, this.#at);
  }

  #int32(value: number): void {
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }
}
