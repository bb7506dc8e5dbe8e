/** What BigQuery says in place of a result. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }

  /** As the body of an answer. */
  get body(): object {
    const { message, reason, status } = this;
    return {
      error: {
        code: status,
        message,
        status: reason.toUpperCase(),
        errors: [{ message, domain: 'global', reason }],
      },
    };
  }
}

/** An error of DuckDB in the words of BigQuery, with the place in the statement where one can be told. */
export function refusalOf(error: unknown, query: string, project: string): Error {
  if (error instanceof Refusal) return error;
  const message = error instanceof Error ? error.message : String(error);
  const [first = ''] = message.split('\n', 1);
  if (/^INTERRUPT Error/i.test(message)) {
    return new Refusal(499, 'stopped', 'Job execution was cancelled: User requested cancellation');
  }
  if (/conflict/i.test(message)) {
    return new Refusal(400, 'invalidQuery', 'Could not serialize access to table due to concurrent update');
  }
  const [, missing] = /^Catalog Error: Table with name (.+) does not exist/.exec(message) ?? [];
  if (missing !== undefined) {
    return new Refusal(
      404,
      'notFound',
      `Not found: Table ${project}:${missing} was not found in location US`,
    );
  }
  const [, schema] = /schema.*?"?([\w-]+)"? does not exist|Schema with name ([\w-]+)/i.exec(message) ?? [];
  if (schema !== undefined && /^(Catalog|Binder) Error/.test(message)) {
    return new Refusal(
      404,
      'notFound',
      `Not found: Dataset ${project}:${schema} was not found in location US`,
    );
  }
  const [, name] = /(?:column|near) "?([^"\s!]+)"?/i.exec(first) ?? [];
  const at = name === undefined ? -1 : query.toLowerCase().indexOf(name.toLowerCase());
  const place =
    at < 0 ? '' : ` at [${query.slice(0, at).split('\n').length}:${at - query.lastIndexOf('\n', at - 1)}]`;
  if (message.startsWith('Parser Error')) {
    return new Refusal(
      400,
      'invalidQuery',
      `Syntax error: Unexpected ${JSON.stringify(name ?? 'end of script')}${place}`,
    );
  }
  if (message.startsWith('Binder Error')) {
    const said = name === undefined ? first.replace('Binder Error: ', '') : `Unrecognized name: ${name}`;
    return new Refusal(400, 'invalidQuery', `${said}${place}`);
  }
  return new Refusal(400, 'invalidQuery', first.replace(/^\w+( \w+)? Error: /, ''));
}
