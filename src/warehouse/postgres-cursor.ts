import type pg from 'pg';
import { type PostgresPiece, PostgresStatement } from './postgres-statement.ts';
import type { Statement } from './warehouse.ts';

const name = 'sluice_rows';

/** The rows of a SELECT by a cursor that is declared in the transaction that `before` begins, and that ends with it. */
export class PostgresCursor {
  readonly #client: pg.Client;
  readonly #rowsAtOnce: number;
  readonly #declared: PostgresStatement;

  constructor(
    client: pg.Client,
    { sql, ...bound }: Statement,
    options: { before: { bytes: Buffer; count: number }; rowsAtOnce: number; textOid: number },
  ) {
    const { before, rowsAtOnce, textOid } = options;
    const declare = { sql: `DECLARE ${name} CURSOR FOR\n${sql}`, ...bound };
    this.#client = client;
    this.#rowsAtOnce = rowsAtOnce;
    this.#declared = client.query(new PostgresStatement(declare, { before, textOid }));
  }

  /** The first rows. */
  async piece(): Promise<PostgresPiece> {
    await this.#declared.piece();
    return this.more();
  }

  /** The next rows. */
  async more(): Promise<PostgresPiece> {
    const fetch = { sql: `FETCH FORWARD ${this.#rowsAtOnce} FROM ${name}` };
    const piece = await this.#client.query(new PostgresStatement(fetch)).piece();
    return { ...piece, isLast: piece.rows.length < this.#rowsAtOnce };
  }

  /** Nothing runs between two pieces. */
  async end(): Promise<void> {
    await this.#declared.end();
  }
}
