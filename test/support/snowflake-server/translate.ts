import type { Token } from '#warehouse/select-reads.ts';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';

/** Types of Snowflake by those of DuckDB that hold the same. */
const types: Record<string, string> = {
  TIMESTAMP_NTZ: 'TIMESTAMP',
  TIMESTAMP_LTZ: 'TIMESTAMPTZ',
  TIMESTAMP_TZ: 'TIMESTAMPTZ',
  VARIANT: 'JSON',
  OBJECT: 'JSON',
  FLOAT: 'DOUBLE',
  BINARY: 'BLOB',
  STRING: 'VARCHAR',
};

/** Functions of Snowflake that DuckDB lacks or has with another meaning. */
export const macros = [
  'PARSE_JSON(x) AS CAST(x AS JSON)',
  'TRY_PARSE_JSON(x) AS TRY_CAST(x AS JSON)',
  `GET(x, k) AS json_extract(x, '/' || replace(replace(CAST(k AS VARCHAR), '~', '~0'), '/', '~1'))`,
  `AS_VARCHAR(x) AS json_extract_string(x, '$')`,
  `TO_VARCHAR(x) AS json_extract_string(x, '$')`,
  'TO_BINARY(x, format) AS unhex(x)',
  'HEX_ENCODE(x) AS hex(x)',
  // The formats that are asked for say all that these types hold.
  'TO_CHAR(x, format) AS CAST(x AS VARCHAR)',
  'STARTSWITH(x, y) AS starts_with(x, y)',
  'BITAND(x, y) AS CAST(x AS HUGEINT) & CAST(y AS HUGEINT)',
  `DATEADD(part, n, x) AS x + CASE part WHEN 'MILLISECOND' THEN to_milliseconds(CAST(n AS BIGINT))
     WHEN 'MONTH' THEN to_months(CAST(n AS INTEGER)) ELSE error('DATEADD of ' || part) END`,
];

/** Behind names that Snowflake tells from those in capitals, which DuckDB would take for the same. */
const smallMark = '~small';

/** The name as DuckDB keeps it. */
function marked(name: string): string {
  return name === name.toUpperCase() ? name : name + smallMark;
}

/** The name as it was before. */
export function unmarked(text: string): string {
  return text.replaceAll(smallMark, '');
}

/** The same in DuckDB. */
export function unmarkedSql(column: string): string {
  return `replace(${column}, '${smallMark}', '')`;
}

/** One statement: its text for DuckDB, how many binds it has, and its tokens. */
export interface Translated {
  sql: string;
  binds: number;
  tokens: Token[];
}

/** The statements of a text, each as DuckDB takes it. Names without quotes are in capitals, as Snowflake reads them. */
export function translate(text: string): Translated[] {
  const statements: Token[][] = [[]];
  for (const token of tokensOf(text)) {
    if (token.kind === 'sign' && token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements
    .filter((tokens) => tokens.length > 0)
    .map((tokens) => ({
      sql: write(tokens),
      binds: tokens.filter(({ kind, text: sign }) => kind === 'sign' && sign === '?').length,
      tokens,
    }));
}

function write(tokens: Token[]): string {
  const out: string[] = [];
  for (let at = 0; at < tokens.length;) {
    const [text, next] = piece(tokens, at);
    out.push(text);
    at = next;
  }
  return out.join(' ');
}

/** The text of what begins at the token, and where the next begins. */
function piece(tokens: Token[], at: number): [string, number] {
  const is = (...texts: string[]) => texts.every((text, offset) => tokens[at + offset]?.text === text);
  if (is('TABLE', '(', 'GENERATOR', '(', 'ROWCOUNT', '=>')) {
    return [`range(${tokens[at + 6]!.text}) AS GENERATED(SEQ)`, at + 9];
  }
  if (is('COPY', 'GRANTS', 'AS')) return ['', at + 2];
  if (is('SEQ8', '(', ')')) return ['SEQ', at + 3];
  if (is('TABLE', '(', 'FLATTEN', '(', 'INPUT', '=>')) {
    const [input, end] = argument(tokens, at + 6);
    return [`(SELECT unnest(CAST(${input} AS JSON[])) AS VALUE)`, end + 2];
  }
  if (is('LATERAL', 'FLATTEN', '(', 'INPUT', '=>')) {
    const [input, end] = argument(tokens, at + 5);
    // , MODE => 'OBJECT' )
    return [`LATERAL (SELECT unnest(json_keys(${input})) AS KEY)`, end + 5];
  }
  if (tokens[at + 1]?.text === '.' && tokens[at + 2]?.text === 'INFORMATION_SCHEMA') {
    const database = tokens[at]!.text.replaceAll("'", "''");
    return [`(SELECT * FROM sf.main.${tokens[at + 4]!.text} WHERE TABLE_CATALOG = '${database}')`, at + 5];
  }
  return [single(tokens, at), at + 1];
}

/** An argument up to the comma or parenthesis that ends it. */
function argument(tokens: Token[], from: number): [string, number] {
  let depth = 0;
  let at = from;
  for (; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    if (kind !== 'sign') continue;
    if (depth === 0 && (text === ',' || text === ')')) break;
    if (text === '(') depth += 1;
    if (text === ')') depth -= 1;
  }
  return [write(tokens.slice(from, at)), at];
}

function single(tokens: Token[], at: number): string {
  const { kind, text } = tokens[at]!;
  if (kind === 'name') return `"${marked(text).replaceAll('"', '""')}"`;
  if (kind === 'text') return `'${text.replaceAll("'", "''")}'`;
  if (kind !== 'word' || tokens[at - 1]?.text === '.') return text;
  if (text === 'NUMBER') return tokens[at + 1]?.text === '(' ? 'DECIMAL' : 'DECIMAL(38, 0)';
  return types[text] ?? text;
}
