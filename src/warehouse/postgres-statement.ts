import type { Connection, FieldDef } from 'pg';
import { bindType, readerOf, toPostgres } from './postgres-values.ts';
import type { Statement } from './warehouse.ts';

export interface PostgresField {
  name: string;
  oid: number;
  modifier: number;
}

/** Some rows; `isLast` when none follow. */
export interface PostgresPiece {
  fields: PostgresField[];
  rows: unknown[][];
  isLast: boolean;
}

/** What pg's connection sends, as it is and not as its types say. */
interface Protocol {
  parse(of: { text: string; types: number[] }): void;
  bind(of: { values: (string | Buffer | null)[] }): void;
  describe(of: { type: 'P' }): void;
  execute(of: { rows: number }): void;
  close(of: { type: 'P' }): void;
  flush(): void;
  sync(): void;
  sendCopyFail(message: string): void;
  stream: { cork(): void; uncork(): void };
}

interface StatementOptions {
  /** Statements without rows, sent together with this one and done first. */
  before?: readonly string[];
  /** The server makes so many rows and waits until more are asked for; 0 for all of them, which it may compute in parallel. */
  rowsAtOnce?: number;
  /** Is given each row, which is then in no piece. */
  takes?: (row: unknown[]) => void;
}

/** One statement with typed binds by the extended protocol, which takes no second one behind it. */
export class PostgresStatement {
  readonly #statement: Statement;
  readonly #rowsAtOnce: number;
  readonly #takes: ((row: unknown[]) => void) | undefined;
  readonly #before: readonly string[];
  #beforeLeft: number;
  #connection: Protocol | undefined;
  /** Known when the first row comes. */
  fields: PostgresField[] = [];
  #reads: ((text: string) => unknown)[] = [];
  #rows: unknown[][] = [];
  #piece = Promise.withResolvers<PostgresPiece>();
  #ended = Promise.withResolvers<void>();
  #hasSynced = false;
  #failure: Error | undefined;
  /** What the server says was done, such as SELECT 12. */
  done = '';

  constructor(statement: Statement, { before = [], rowsAtOnce = 0, takes }: StatementOptions = {}) {
    this.#statement = statement;
    this.#before = before;
    this.#beforeLeft = before.length;
    this.#rowsAtOnce = rowsAtOnce;
    this.#takes = takes;
    this.#piece.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
  }

  /** The next rows. Rejects with the server's error. */
  piece(): Promise<PostgresPiece> {
    return this.#piece.promise;
  }

  /** Asks for the rows after those of the last piece, which must not have been the last. */
  more(): Promise<PostgresPiece> {
    this.#piece = Promise.withResolvers();
    this.#piece.promise.catch(() => undefined);
    this.#rows = [];
    if (this.#failure) this.#piece.reject(this.#failure);
    this.#connection!.execute({ rows: this.#rowsAtOnce });
    this.#connection!.flush();
    return this.#piece.promise;
  }

  /** Resolves when the connection is free for the next statement; no more rows come. */
  async end(): Promise<void> {
    if (!this.#hasSynced) {
      this.#connection?.close({ type: 'P' });
      this.#sync();
    }
    await this.#ended.promise;
  }

  #sync(): void {
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#connection?.sync();
  }

  // What follows is called by pg.

  submit(connection: Connection): void {
    const protocol = connection as unknown as Protocol;
    const { sql, binds = [] } = this.#statement;
    this.#connection = protocol;
    protocol.stream.cork();
    try {
      for (const text of this.#before) {
        protocol.parse({ text, types: [] });
        protocol.bind({ values: [] });
        protocol.execute({ rows: 0 });
      }
      protocol.parse({ text: sql, types: binds.map(bindType) });
      protocol.bind({ values: binds.map(toPostgres) });
      protocol.describe({ type: 'P' });
      protocol.execute({ rows: this.#rowsAtOnce });
      if (this.#rowsAtOnce === 0) this.#sync();
      else protocol.flush();
    } finally {
      protocol.stream.uncork();
    }
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.fields = fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
      name,
      oid: dataTypeID,
      modifier: dataTypeModifier,
    }));
    this.#reads = fields.map(({ dataTypeID }) => readerOf(dataTypeID));
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const row = fields.map((text, at) => (text === null ? null : this.#reads[at]!(text)));
    if (this.#takes) this.#takes(row);
    else this.#rows.push(row);
  }

  handlePortalSuspended(): void {
    this.#piece.resolve({ fields: this.fields, rows: this.#rows, isLast: false });
  }

  handleCommandComplete({ text }: { text: string }): void {
    if (this.#beforeLeft > 0) {
      this.#beforeLeft -= 1;
      return;
    }
    this.done = text;
    this.#sync();
    this.#piece.resolve({ fields: this.fields, rows: this.#rows, isLast: true });
  }

  handleEmptyQuery(): void {
    this.#sync();
    const message = 'The statement is empty.';
    this.#piece.reject(Object.assign(new Error(message), { code: '42601' }));
  }

  handleError(error: Error): void {
    this.#failure = error;
    this.#sync();
    this.#piece.reject(error);
    this.#ended.reject(error);
  }

  handleReadyForQuery(): void {
    this.#ended.resolve();
  }

  handleCopyInResponse(connection: Connection): void {
    (connection as unknown as Protocol).sendCopyFail('Rows cannot be copied here.');
  }

  handleCopyData(): void {}
}

/** How many rows a statement wrote, as the server says it: SELECT 12, INSERT 0 12. */
export function rowsOf(done: string): bigint {
  return BigInt(/(\d+)$/.exec(done)?.[1] ?? 0);
}
