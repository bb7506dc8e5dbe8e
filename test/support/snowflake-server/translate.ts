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
  ARRAY: 'JSON[]',
};

/** Types that DuckDB has with no number of digits, or with another meaning of it. */
const withoutDigits = new Set(['TIMESTAMP_NTZ', 'TIMESTAMP_LTZ', 'TIMESTAMP_TZ', 'TIME']);

/** Functions of Snowflake that DuckDB lacks or has with another meaning. */
export const macros = [
  'PARSE_JSON(x) AS CAST(x AS JSON)',
  // Whether keys may come twice is one to DuckDB.
  'TRY_PARSE_JSON(x, doubles := NULL) AS TRY_CAST(x AS JSON)',
  'TO_VARIANT(x) AS to_json(x)',
  `TO_DATE(x, format) AS CAST(x AS DATE)`,
  `TO_TIMESTAMP_NTZ(x, scale) AS make_timestamp(CAST(x AS BIGINT))`,
  `TO_TIMESTAMP_LTZ(x, scale) AS make_timestamp(CAST(x AS BIGINT))::TIMESTAMPTZ`,
  `GET(x, k) AS CASE WHEN typeof(x) = 'VARCHAR' THEN error('Invalid argument types for function GET: (VARCHAR, VARCHAR)')
     ELSE json_extract(x, '/' || replace(replace(CAST(k AS VARCHAR), '~', '~0'), '/', '~1')) END`,
  `AS_VARCHAR(x) AS json_extract_string(x, '$')`,
  `TO_VARCHAR(x) AS json_extract_string(x, '$')`,
  'TO_BINARY(x, format) AS unhex(x)',
  'HEX_ENCODE(x) AS hex(x)',
  // The formats that are asked for say all that these types hold.
  `TO_CHAR(x, format) AS CAST(x AS VARCHAR)
     || CASE WHEN format LIKE '%SS.FF6' AND NOT contains(CAST(x AS VARCHAR), '.') THEN '.000000' ELSE '' END`,
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

/**
 * The statements of a text, each as DuckDB takes it. Names without quotes are in capitals, as Snowflake reads them; what it
 * reads from a stage lies in the folder.
 */
export function translate(text: string, stageFolder: string): Translated[] {
  const statements: Token[][] = [[]];
  for (const token of tokensOf(text)) {
    if (token.kind === 'sign' && token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements
    .filter((tokens) => tokens.length > 0)
    .map((tokens) => ({
      sql: write(ofStage(ofTable(tokens), stageFolder)),
      binds: tokens.filter(({ kind, text: sign }) => kind === 'sign' && sign === '?').length,
      tokens,
    }));
}

/** CREATE TABLE without what DuckDB does not keep there; COPY INTO as the INSERT that it is. */
function ofTable(tokens: Token[]): Token[] {
  const words = tokens.map(({ kind, text }) => (kind === 'word' ? text : ''));
  if (words[0] === 'COPY' && words[1] === 'INTO') {
    const insert = { kind: 'word', text: 'INSERT' } as const;
    return [insert, ...tokens.slice(1, words.lastIndexOf('FILE_FORMAT'))];
  }
  if (words[0] !== 'CREATE' || !words.slice(1, 5).includes('TABLE')) return tokens;
  const out = tokens.filter(({ kind, text }) => !(kind === 'word' && text === 'TRANSIENT'));
  const at = out.findIndex(({ text }, of) => text === 'COPY' && out[of + 1]?.text === 'GRANTS');
  if (at !== -1) out.splice(at, 2);
  const note = noteAt(out);
  if (note !== -1) out.splice(note, 3);
  return withCasts(out);
}

/** A table of named and typed columns that is made AS SELECT: DuckDB takes the types from the SELECT alone. */
function withCasts(tokens: Token[]): Token[] {
  const as = tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'AS');
  if (as === -1 || tokens[as - 1]?.text !== ')') return tokens;
  const from = tokens.findIndex(({ text }) => text === '(');
  const word = (text: string): Token => ({ kind: 'word', text });
  const sign = (text: string): Token => ({ kind: 'sign', text });
  const casts = columnsBetween(tokens.slice(from + 1, as - 1)).flatMap(([name, ...type], at) => [
    ...(at === 0 ? [] : [sign(',')]),
    word('CAST'),
    sign('('),
    name!,
    word('AS'),
    ...type,
    sign(')'),
    word('AS'),
    name!,
  ]);
  const select = [word('SELECT'), ...casts, word('FROM'), sign('('), ...tokens.slice(as + 1), sign(')')];
  return [...tokens.slice(0, from), word('AS'), ...select];
}

/** What commas part, but for those in parentheses. */
function columnsBetween(tokens: Token[]): Token[][] {
  const columns: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (depth === 0 && token.text === ',') columns.push([]);
    else columns.at(-1)!.push(token);
  }
  return columns;
}

/** Where a CREATE TABLE says its comment; -1 when it says none. */
function noteAt(tokens: Token[]): number {
  return tokens.findIndex(
    ({ kind, text }, at) => kind === 'word' && text === 'COMMENT' && tokens[at + 1]?.text === '=',
  );
}

/** The table that a statement makes or notes something on, as DuckDB names it, and the comment that it says of it. */
export function commentOf(tokens: Token[]): { table: string; comment: string } | null {
  const at = tokens[0]?.text === 'CREATE' ? noteAt(tokens) : -1;
  if (at === -1) return null;
  const from = tokens.findIndex(({ text }) => text === 'TABLE') + 1;
  let to = from + 1;
  while (tokens[to]?.text === '.') to += 2;
  return { table: write(tokens.slice(from, to)), comment: `'${tokens[at + 2]!.text.replaceAll("'", "''")}'` };
}

/** Files of the stage as what DuckDB reads, and $1:C0 as their column C0. */
function ofStage(tokens: Token[], folder: string): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    const isPath = text === '$' && tokens[at + 1]?.text === '1' && tokens[at + 2]?.text === ':';
    if (isPath) at += 2;
    else if (kind === 'text' && text.startsWith('@~/') && tokens[at - 1]?.text === 'FROM') {
      const files = `${folder}/${text.slice(3)}*`.replaceAll("'", "''");
      out.push({ kind: 'sign', text: `read_parquet('${files}')` });
    } else out.push(tokens[at]!);
  }
  return out;
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
  const isDigits = tokens[at + 1]?.text === '(' && tokens[at + 2]?.kind === 'number';
  if (tokens[at]?.kind === 'word' && withoutDigits.has(tokens[at].text) && isDigits) {
    return [single(tokens, at), at + 4];
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
