import type { Connection } from 'snowflake-sdk';
import { snowflakeDialect } from './snowflake-dialect.ts';
import { NoAnswer, SnowflakeError } from './snowflake-errors.ts';
import { connect, type SnowflakeLogin } from './snowflake-login.ts';
import { orAborted } from './or-aborted.ts';

/** Codes of a session that is over, however it ended: another one is opened. */
const over = /^39011\d$/;
/** The client's own: it has noticed so itself. */
const terminated = '407002';

/**
 * Files on their way into the user's own stage, through Snowflake's own client: where they lie is the account's cloud, with its
 * credentials and its encryption, which that client knows. It is connected with the first file.
 */
export class SnowflakeUploads implements AsyncDisposable {
  readonly #login: SnowflakeLogin;
  #connection: Promise<Connection> | null = null;
  #closed = false;

  constructor(login: SnowflakeLogin) {
    this.#login = login;
  }

  /**
   * Puts a file into a folder of the stage, in place of one of its name. The client cannot be stopped: when the signal aborts,
   * it is not waited for.
   */
  async put(path: string, folder: string, signal: AbortSignal): Promise<void> {
    const file = snowflakeDialect.quoteText(`file://${path}`);
    const to = snowflakeDialect.quoteText(`@~/${folder}`);
    const text = `PUT ${file} ${to} AUTO_COMPRESS = FALSE OVERWRITE = TRUE`;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      if (this.#closed) throw new NoAnswer('the session is closed');
      const using = (this.#connection ??= this.#connect());
      try {
        await orAborted(
          using.then((connection) => execute(connection, text)),
          signal,
        );
        return;
      } catch (error) {
        const isOver =
          error instanceof SnowflakeError && (over.test(error.code) || error.code === terminated);
        if (!isOver || tries === 2) throw error;
        if (this.#connection === using) this.#connection = null;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const connection = await this.#connection?.catch(() => null);
    if (!connection) return;
    await new Promise<void>((resolve) => connection.destroy(() => resolve()));
  }

  /** Forgotten when it fails, so that the next file tries again. */
  #connect(): Promise<Connection> {
    const connecting = connect(this.#login);
    connecting.catch(() => {
      if (this.#connection === connecting) this.#connection = null;
    });
    return connecting;
  }
}

function execute(connection: Connection, sqlText: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const complete = (error: ClientError | undefined) => (error ? reject(uploadError(error)) : resolve());
    connection.execute({ sqlText, complete });
  });
}

type ClientError = Error & { code?: unknown; sqlState?: unknown };

/** The account's own errors have a SQLSTATE. Those of the way to its cloud have none, and name the file here. */
function uploadError(error: ClientError): Error {
  const { code, sqlState, message } = error;
  const known = typeof code === 'string' || typeof code === 'number' ? String(code).padStart(6, '0') : '';
  if (typeof sqlState === 'string' || known === terminated) {
    return new SnowflakeError(message, known, typeof sqlState === 'string' ? sqlState : '08003');
  }
  const said = message.replace(/ file=.*$/s, '').replace(/^(Error: )+/, '');
  return new NoAnswer(`a file could not be put into its stage: ${said}`, { cause: error });
}
