import { type Token, tokensOf } from '#warehouse/databricks-tokens.ts';

/** Types of Databricks by those of DuckDB that hold the same. */
const types: Record<string, string> = {
  STRING: 'VARCHAR',
  BINARY: 'BLOB',
  TIMESTAMP: 'TIMESTAMPTZ',
  TIMESTAMP_NTZ: 'TIMESTAMP',
  TIMESTAMP_LTZ: 'TIMESTAMPTZ',
  VARIANT: 'JSON',
};

/** Functions of Databricks by those of DuckDB that do the same. */
const functions: Record<string, string> = {
  EXPLODE: 'unnest',
  STARTSWITH: 'starts_with',
  UNIX_MICROS: 'epoch_us',
  MAP_KEYS: 'json_keys',
  TO_JSON: 'dbx_to_json',
  RAISE_ERROR: 'error',
};

/** Functions of Databricks that DuckDB lacks. */
export const macros = [
  'parse_json(x) AS CAST(x AS JSON)',
  'try_parse_json(x) AS TRY_CAST(x AS JSON)',
  'dbx_to_json(x) AS CASE WHEN x IS NOT NULL THEN to_json(x) END',
  'get(x, n) AS x[n + 1]',
  `try_element_at(x, k) AS json_extract_string(x, '/' || replace(replace(k, '~', '~0'), '/', '~1'))`,
  'timestamp_micros(n) AS make_timestamptz(n)',
  'dbx_add_months(n, x) AS x + to_months(n)',
  "date_from_unix_date(n) AS DATE '1970-01-01' + n",
];

/** What of a statement is more than what it runs. */
export type Effect =
  | { kind: 'describe' }
  | { kind: 'select' }
  | { kind: 'detail'; name: string[] }
  | { kind: 'table'; name: string[]; properties: Record<string, string>; comment: string }
  | { kind: 'view'; name: string[]; text: string }
  | { kind: 'schema'; name: string[] }
  | { kind: 'catalog'; name: string }
  | { kind: 'other' };

/** One statement: its text for DuckDB, and what Databricks makes of it. */
export interface Translated {
  sql: string;
  effect: Effect;
}

/** The statements of a text, each as DuckDB takes it. Files of volumes lie under the folder. */
export function translate(text: string, volumes: string): Translated[] {
  const statements: Token[][] = [[]];
  for (const token of tokensOf(text)) {
    if (token.kind === 'sign' && token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements
    .filter((tokens) => tokens.length > 0)
    .map((tokens) => one(tokens, { text, volumes, isDefinition: false }));
}

/** What a statement is written from. */
interface Writing {
  text: string;
  volumes: string;
  /** It names the types of columns, wherever words stand. */
  isDefinition: boolean;
}

function one(tokens: Token[], of: Writing): Translated {
  const words = tokens.map((token) => (token.kind === 'word' ? token.text : ''));
  const starts = (...wanted: string[]) => wanted.every((word, at) => words[at] === word);
  const rest = (from: number) => write(tokens.slice(from), of);
  if (starts('DESCRIBE', 'QUERY')) return { sql: rest(2), effect: { kind: 'describe' } };
  if (starts('DESCRIBE', 'DETAIL')) {
    return { sql: '', effect: { kind: 'detail', name: nameAt(tokens, 2).name } };
  }
  if (starts('USE', 'CATALOG'))
    return { sql: 'SELECT 1', effect: { kind: 'catalog', name: tokens[2]!.text } };
  if (starts('CREATE', 'SCHEMA')) {
    const name = nameAt(tokens, words.indexOf('EXISTS') + 1 || 2).name;
    return { sql: rest(0), effect: { kind: 'schema', name } };
  }
  const at = words.findIndex((word) => word === 'TABLE' || word === 'VIEW');
  const isMade = (starts('CREATE') || starts('ALTER', 'VIEW')) && at > 0 && at <= 3;
  if (isMade && words.includes('AS')) return made(tokens, at, of);
  if (isMade) return { sql: write(tokens, { ...of, isDefinition: true }), effect: { kind: 'other' } };
  const first = tokens.find(({ kind, text: sign }) => kind !== 'sign' || sign !== '(')?.text ?? '';
  const isSelect = ['SELECT', 'WITH', 'VALUES'].includes(first);
  return { sql: rest(0), effect: { kind: isSelect ? 'select' : 'other' } };
}

/** CREATE [OR REPLACE] TABLE name [COMMENT …] [TBLPROPERTIES (…)] AS …, CREATE VIEW name AS …, ALTER VIEW name AS …. */
function made(tokens: Token[], at: number, of: Writing): Translated {
  const { name, end } = nameAt(tokens, at + 1);
  let next = end;
  const properties: Record<string, string> = {};
  let comment = '';
  if (tokens[next]?.text === 'COMMENT') {
    comment = tokens[next + 1]!.text;
    next += 2;
  }
  if (tokens[next]?.text === 'TBLPROPERTIES') {
    for (next += 2; tokens[next] && tokens[next]!.text !== ')'; next += 1) {
      if (tokens[next]!.text !== '=') continue;
      properties[tokens[next - 1]!.text] = tokens[next + 1]!.text;
    }
    next += 1;
  }
  const target = name.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
  const isView = tokens[at]!.text === 'VIEW';
  const replaces = tokens[0]!.text === 'ALTER' || tokens[1]!.text === 'OR';
  const head = `CREATE ${replaces ? 'OR REPLACE ' : ''}${tokens[at]!.text} ${target}`;
  const query = tokens[next + 1];
  const sql = `${head} ${write(tokens.slice(next), of)}`;
  if (!isView) return { sql, effect: { kind: 'table', name, properties, comment } };
  return { sql, effect: { kind: 'view', name, text: query ? of.text.slice(query.from) : '' } };
}

function nameAt(tokens: Token[], from: number): { name: string[]; end: number } {
  const name = [tokens[from]?.text ?? ''];
  let end = from + 1;
  for (; tokens[end]?.text === '.'; end += 2) name.push(tokens[end + 1]?.text ?? '');
  return { name, end };
}

/** The tokens as DuckDB takes them. */
function write(tokens: Token[], of: Writing): string {
  const out: string[] = [];
  for (let at = 0; at < tokens.length;) {
    const [piece, next] = pieceOf(tokens, at, of);
    out.push(piece);
    at = next;
  }
  return out.join(' ');
}

/** The text of what begins at the token, and where the next begins. */
function pieceOf(tokens: Token[], at: number, of: Writing): [string, number] {
  const is = (...texts: string[]) => texts.every((wanted, offset) => tokens[at + offset]?.text === wanted);
  if (is('RANGE', '(')) {
    const [count, end] = argument(tokens, at + 2, of);
    return [`(SELECT range AS id FROM range(${count}))`, end + 1];
  }
  if (is('FROM_JSON', '(')) {
    const [json, end] = argument(tokens, at + 2, of);
    const schema = tokens[end + 1]!.text;
    const lists = { 'ARRAY<STRING>': 'VARCHAR[]', 'ARRAY<ARRAY<STRING>>': 'VARCHAR[][]' }[schema];
    return [lists ? `CAST(CAST(${json} AS JSON) AS ${lists})` : `TRY_CAST(${json} AS JSON)`, end + 3];
  }
  if (is('TIMESTAMPADD', '(', 'MONTH', ',')) return ['dbx_add_months(', at + 4];
  if (tokens[at + 1]?.text === '.' && tokens[at + 2]?.text === 'INFORMATION_SCHEMA') {
    const catalog = tokens[at]!.text.toLowerCase().replaceAll("'", "''");
    return [`(SELECT * FROM dbx.main.${tokens[at + 4]!.text} WHERE table_catalog = '${catalog}')`, at + 5];
  }
  if (is('PARQUET', '.') && tokens[at + 2]?.kind === 'name') {
    return [`read_parquet('${of.volumes}${tokens[at + 2]!.text.replaceAll("'", "''")}')`, at + 3];
  }
  if (is('ARRAY', '<')) return arrayType(tokens, at);
  const variant = is('CAST', '(') ? castToVariant(tokens, at + 2, of) : null;
  if (variant) return variant;
  return [single(tokens, at, of), at + 1];
}

/** An argument up to the comma or parenthesis that ends it. */
function argument(tokens: Token[], from: number, of: Writing): [string, number] {
  let depth = 0;
  let at = from;
  for (; at < tokens.length; at += 1) {
    const { kind, text: sign } = tokens[at]!;
    if (kind !== 'sign') continue;
    if (depth === 0 && (sign === ',' || sign === ')')) break;
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
  }
  return [write(tokens.slice(from, at), of), at];
}

/** ARRAY<INT> is INT[]. */
function arrayType(tokens: Token[], at: number): [string, number] {
  if (tokens[at + 2]?.text === 'ARRAY') {
    const [element, end] = arrayType(tokens, at + 2);
    return [`${element}[]`, end + 1];
  }
  let end = at + 3;
  if (tokens[end]?.text === '(') end += 5;
  const more = tokens.slice(at + 3, end).map(({ text }) => text);
  const name = tokens[at + 2]!.text;
  return [`${types[name] ?? name}${more.join('')}[]`, end + 1];
}

/** CAST(… AS VARIANT) makes a VARIANT of a text, and parses nothing. */
function castToVariant(tokens: Token[], from: number, of: Writing): [string, number] | null {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    if (depth === 0 && kind === 'word' && text === 'AS') {
      const isVariant = tokens[at + 1]?.text === 'VARIANT';
      return isVariant ? [`dbx_to_json(${write(tokens.slice(from, at), of)})`, at + 3] : null;
    }
    if (kind === 'sign' && text === '(') depth += 1;
    if (kind === 'sign' && text === ')') depth -= 1;
    if (depth < 0) return null;
  }
  return null;
}

function single(tokens: Token[], at: number, { text: whole, isDefinition }: Writing): string {
  const { kind, text, from } = tokens[at]!;
  if (kind === 'name') return `"${text.replaceAll('"', '""')}"`;
  if (kind === 'text') return `'${text.replaceAll("'", "''")}'`;
  if (kind === 'bind') return `$${text}`;
  if (kind !== 'word' || tokens[at - 1]?.text === '.')
    return kind === 'word' ? whole.slice(from, from + text.length) : text;
  const next = tokens[at + 1];
  if (next?.text === '(' && functions[text] !== undefined) return functions[text];
  if (text === 'DIV') return '//';
  // A word is a type behind AS in a cast, behind ::, and before a literal.
  const before = tokens[at - 1]?.text ?? '';
  const isType =
    (before === 'AS' && (next?.text === ')' || (next?.text === '(' && tokens[at + 2]?.kind === 'number'))) ||
    isDefinition ||
    before === '::' ||
    next?.kind === 'text';
  return (isType ? types[text] : undefined) ?? whole.slice(from, from + text.length);
}
