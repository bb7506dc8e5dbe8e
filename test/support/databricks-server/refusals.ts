/** What Databricks says in place of a result. */
export class Refusal extends Error {
  readonly sqlState: string;

  constructor(condition: string, sqlState: string, message: string) {
    super(`[${condition}] ${message} SQLSTATE: ${sqlState}`);
    this.sqlState = sqlState;
  }
}

/** What Databricks would say of an error of DuckDB. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const message = error instanceof Error ? error.message : String(error);
  const [condition, sqlState] = conditions.find(([, , shape]) => shape.test(message)) ?? [
    'INTERNAL_ERROR',
    'XX000',
  ];
  return new Refusal(condition, sqlState, message);
}

const conditions: [string, string, RegExp][] = [
  ['OPERATION_CANCELED', 'HY008', /^INTERRUPT Error/i],
  ['DELTA_CONCURRENT_WRITE', '2D521', /conflict/i],
  ['TABLE_OR_VIEW_ALREADY_EXISTS', '42P07', /^Catalog Error.*already exists/s],
  ['TABLE_OR_VIEW_NOT_FOUND', '42P01', /^Catalog Error/],
  ['PARSE_SYNTAX_ERROR', '42601', /^(Parser|Syntax) Error/],
  ['UNRESOLVED_COLUMN.WITH_SUGGESTION', '42703', /^Binder Error/],
  ['PATH_NOT_FOUND', '42K03', /^IO Error/],
  ['CAST_INVALID_INPUT', '22018', /^(Conversion|Out of Range|Invalid Input) Error/],
];
