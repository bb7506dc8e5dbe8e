import type { Connection, FieldDef } from 'pg';
import { PostgresMessages } from './postgres-messages.ts';
import { bindType, readerOf, textType, toPostgres } from './postgres-values.ts';
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
  execute(of: { rows: number }): void;
  close(of: { type: 'P' }): void;
  flush(): void;
  sync(): void;
  sendCopyFail(message: string): void;
  stream: { write(bytes: Buffer): void };
}

interface StatementOptions {
  /** Statements sent together with this one and done first; none of them is described. */
  before?: { bytes: Buffer; count: number };
  /** Statements sent together with this one and done once it has ended well. Only with all rows at once. */
  after?: Buffer;
  /** The server makes so many rows and waits until more are asked for; 0 for all of them, which it may compute in parallel. */
  rowsAtOnce?: number;
  /** Is given each row, which is then in no piece. */
  takes?: (row: unknown[]) => void;
  /** The oid of the type that texts are bound as. */
  textOid?: number;
}

/** One statement with typed binds by the extended protocol, which takes no second one behind it. */
export class PostgresStatement {
  readonly #bytes: Buffer;
  readonly #rowsAtOnce: number;
  readonly #takes: ((row: unknown[]) => void) | undefined;
  /** How many statements are still to end before this one. */
  #beforeLeft: number;
  #isDone = false;
  #connection: Protocol | undefined;
  /** Known when the first row comes. */
  fields: PostgresField[] = [];
  #reads: ((text: string) => unknown)[] = [];
  #rows: unknown[][] = [];
  #piece = Promise.withResolvers<PostgresPiece>();
  #ended = Promise.withResolvers<void>();
  #hasSynced: boolean;
  #failure: Error | undefined;
  /** What the server says was done, such as SELECT 12. */
  done = '';

  /** Fails for a text that no statement has. */
  constructor(
    { sql, binds = [], bindTypes }: Statement,
    { before, after, rowsAtOnce = 0, takes, textOid = 25 }: StatementOptions = {},
  ) {
    this.#hasSynced = rowsAtOnce === 0;
    const messages = new PostgresMessages();
    if (before) messages.add(before.bytes);
    const types = binds.map((each, at) =>
      typeof each === 'string' ? textType(bindTypes?.[at], textOid) : bindType(each),
    );
    messages.parse(sql, types).bind(binds.map(toPostgres)).describe().execute(rowsAtOnce);
    if (after) messages.add(after);
    this.#bytes = (this.#hasSynced ? messages.sync() : messages.flush()).take();
    this.#beforeLeft = before?.count ?? 0;
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

  /** Resolves when the connection is free for the next statement; no more rows come. Rejects when what comes after failed, too. */
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
    this.#connection = connection as unknown as Protocol;
    this.#connection.stream.write(this.#bytes);
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
    if (this.#beforeLeft > 0 || this.#isDone) return;
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
    if (this.#isDone) return;
    this.#isDone = true;
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
