import { bigQueryTokens } from '#warehouse/bigquery-tokens.ts';
import type { Token } from '#warehouse/select-reads.ts';

/** Types of BigQuery by those of DuckDB that hold the same. */
const types: Record<string, string> = {
  STRING: 'VARCHAR',
  INT64: 'BIGINT',
  FLOAT64: 'DOUBLE',
  BOOL: 'BOOLEAN',
  BYTES: 'BLOB',
  NUMERIC: 'DECIMAL(38, 9)',
  BIGNUMERIC: 'DECIMAL(38, 10)',
  DATETIME: 'TIMESTAMP',
  TIMESTAMP: 'TIMESTAMPTZ',
};

/** Functions of BigQuery that DuckDB lacks or has with another meaning. */
export const macros = [
  'PARSE_JSON(x) AS CAST(x AS JSON)',
  `JSON_VALUE(x) AS CASE WHEN json_type(x) IN ('OBJECT', 'ARRAY') THEN NULL ELSE json_extract_string(x, '$') END`,
  `TO_JSON_STRING(x) AS coalesce(CAST(to_json(x) AS VARCHAR), 'null')`,
  // Of NULL it makes the null of JSON, and so no NULL.
  `JSON_OF(x) AS coalesce(to_json(x), CAST('null' AS JSON))`,
  `PARTED(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT', 'JSON')
     THEN error('Partitioning by expression of type ' || typeof(x) || ' is not allowed') ELSE x END`,
  `JSON_FIELD(x, k) AS json_extract(x, '/' || replace(replace(k, '~', '~0'), '/', '~1'))`,
  `JSON_NAMES(x) AS list_transform(json_keys(x), lambda k: CASE WHEN regexp_full_match(k, '[A-Za-z_][A-Za-z0-9_]*')
     THEN k ELSE CAST(to_json(k) AS VARCHAR) END)`,
  'DIV(a, b) AS a // b',
  'FORMAT_T(x) AS CAST(x AS VARCHAR)',
  'TIMESTAMP_MICROS(x) AS CAST(make_timestamp(x) AS TIMESTAMPTZ)',
];

/** Functions that make a value of the type of their name. */
const casts: Record<string, string> = { TIMESTAMP: 'TIMESTAMPTZ', DATETIME: 'TIMESTAMP', DATE: 'DATE' };

const parts = new Set('MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR'.split(' '));

export interface Translated {
  /** In the words of DuckDB. */
  sql: string;
  tokens: Token[];
  /** What the table is described by, of a statement that makes one. */
  description?: string;
}

/** The statements of a text in their tokens. */
export function statementsOf(text: string): Token[][] {
  const statements: Token[][] = [[]];
  for (const token of bigQueryTokens(text)) {
    if (token.kind === 'sign' && token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements.filter((tokens) => tokens.length > 0);
}

/** A statement as DuckDB takes it. */
export function translate(tokens: Token[], project: string): Translated {
  const writer = new Writer(project);
  return writer.table(tokens) ?? { sql: writer.write(tokens), tokens };
}

/** A type as DuckDB names it. */
export function typeText(type: string): string {
  return types[type] ?? type;
}

class Writer {
  readonly #project: string;

  constructor(project: string) {
    this.#project = project;
  }

  write(tokens: Token[]): string {
    const out: string[] = [];
    for (let at = 0; at < tokens.length;) {
      const [text, next] = this.#piece(tokens, at);
      out.push(text);
      at = next;
    }
    return out.join(' ');
  }

  /** CREATE TABLE and ALTER TABLE, whose columns have types; null for any other statement. */
  table(tokens: Token[]): Translated | null {
    const words = tokens.slice(0, 4).map(({ text }) => text);
    const at = words.indexOf('TABLE');
    if (at < 1 || (words[0] !== 'CREATE' && words[0] !== 'ALTER')) return null;
    if (words[0] === 'ALTER') {
      const name = tokens.findLastIndex(({ kind }) => kind === 'name');
      const type = this.type(tokens.slice(name + 1));
      return { sql: `${this.write(tokens.slice(0, name + 1))} ${type}`, tokens };
    }
    const open = tokens.findIndex(({ kind, text }) => kind === 'sign' && text === '(');
    const as = tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'AS');
    if (open < 0 || (as >= 0 && as < open)) return null;
    const close = closing(tokens, open);
    const comma = (token: Token) => token.text === ',';
    const columns = splitAt(tokens.slice(open + 1, close), comma).map(([name, ...type]) => ({
      name: this.#single(name!),
      type: this.type(type),
    }));
    const begin = this.write(tokens.slice(0, open));
    const options = tokens.slice(close + 1, as < 0 ? tokens.length : as);
    const description = options.find(({ kind }) => kind === 'text')?.text;
    const described = description === undefined ? {} : { description };
    if (as < 0) {
      const defined = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
      return { sql: `${begin} (${defined})`, tokens, ...described };
    }
    const values = columns.map(({ name, type }) => `CAST(${name} AS ${type}) AS ${name}`).join(', ');
    const names = columns.map(({ name }) => name).join(', ');
    const select = this.write(tokens.slice(as + 1));
    return { sql: `${begin} AS SELECT ${values} FROM (${select}) AS made (${names})`, tokens, ...described };
  }

  /** The text of what begins at the token, and where the next begins. */
  #piece(tokens: Token[], at: number): [string, number] {
    const inside = this.#catalog(tokens, at);
    if (inside) return inside;
    const { kind, text } = tokens[at]!;
    if (kind === 'sign' && text === '[' && tokens[at + 1]?.text === 'SAFE_OFFSET') {
      const end = closing(tokens, at);
      return [`[${this.write(tokens.slice(at + 2, end))} + 1]`, end + 1];
    }
    if (kind === 'word' && tokens[at - 1]?.text !== '.') {
      if (text === 'INTERVAL') return this.#interval(tokens, at);
      if (text === 'PARTITION') return this.#partition(tokens, at);
      if (text === 'SAFE' && tokens[at + 1]?.text === '.' && tokens[at + 2]?.text === 'PARSE_JSON') {
        const end = closing(tokens, at + 3);
        return [`TRY_CAST(${this.write(tokens.slice(at + 4, end))} AS JSON)`, end + 1];
      }
      if (tokens[at + 1]?.text === '(' && tokens[at + 1]?.kind === 'sign') {
        const end = closing(tokens, at + 1);
        const call = this.#call(text, tokens.slice(at + 2, end));
        if (call !== null) return text === 'UNNEST' ? this.#unnest(tokens, call, end) : [call, end + 1];
      }
      if (tokens[at + 1]?.kind === 'text' && casts[text]) return [casts[text], at + 1];
    }
    return [this.#single(tokens[at]!), at + 1];
  }

  /** A function that is written otherwise; null for all others. */
  #call(name: string, inside: Token[]): string | null {
    const args = () => splitAt(inside, (token) => token.kind === 'sign' && token.text === ',');
    const written = () => args().map((each) => this.write(each));
    if (casts[name] && inside.length > 0) return `CAST(${this.write(inside)} AS ${casts[name]})`;
    switch (name) {
      case 'CAST':
      case 'SAFE_CAST': {
        const as = inside.findLastIndex(({ kind, text }) => kind === 'word' && text === 'AS');
        const value = this.write(inside.slice(0, as));
        return `${name === 'CAST' ? 'CAST' : 'TRY_CAST'}(${value} AS ${this.type(inside.slice(as + 1))})`;
      }
      case 'TIMESTAMP_ADD':
      case 'DATETIME_ADD': {
        const [value, interval] = written();
        return `(${value} + ${interval})`;
      }
      case 'DATE_DIFF':
      case 'TIMESTAMP_DIFF':
      case 'DATETIME_DIFF': {
        const [later, earlier, part] = written();
        const how = name === 'DATE_DIFF' ? 'date_diff' : 'date_sub';
        return `${how}('${part}', ${earlier}, ${later})`;
      }
      case 'TIMESTAMP_TRUNC':
      case 'DATETIME_TRUNC': {
        const [value, part] = written();
        return `date_trunc('${part}', ${value})`;
      }
      case 'ARRAY_AGG':
        return this.#arrayAgg(inside);
      case 'JSON_VALUE':
      case 'TO_JSON_STRING':
        return `${name}(${this.#field(inside)})`;
      case 'TO_JSON':
        return `JSON_OF(${this.write(inside)})`;
      case 'FORMAT':
        return `FORMAT_T(${written()[1]})`;
      // What MD5 gives is hexadecimal already.
      case 'TO_HEX':
        return inside[0]?.text === 'MD5' ? this.write(inside) : `lower(hex(${this.write(inside)}))`;
      case 'FORMAT_TIME':
        return `CAST(${written()[1]} AS VARCHAR)`;
      case 'FORMAT_DATETIME':
      case 'FORMAT_TIMESTAMP':
        return `CAST(CAST(${written()[1]} AS TIMESTAMP) AS VARCHAR)`;
      case 'JSON_KEYS':
        return `JSON_NAMES(${written()[0]})`;
      case 'UNNEST':
        return this.write(inside);
      default:
        return null;
    }
  }

  /** value IGNORE NULLS ORDER BY value */
  #arrayAgg(inside: Token[]): string {
    const ignore = inside.findIndex(({ text }) => text === 'IGNORE');
    const order = inside.findLastIndex(({ text }) => text === 'ORDER');
    const value = this.write(inside.slice(0, ignore));
    return `(list(${value} ${this.write(inside.slice(order))}) FILTER (WHERE (${value}) IS NOT NULL))`;
  }

  /** A JSON value, or a field of one by a subscript. */
  #field(inside: Token[]): string {
    if (inside.at(-1)?.text !== ']') return this.write(inside);
    let opening = inside.length - 1;
    for (let depth = 0; ; opening -= 1) {
      const { text } = inside[opening]!;
      if (text === ']') depth += 1;
      if (text === '[' && (depth -= 1) === 0) break;
    }
    const key = this.write(inside.slice(opening + 1, -1));
    return `JSON_FIELD(${this.write(inside.slice(0, opening))}, ${key})`;
  }

  /** AS name WITH OFFSET AS place, or less. */
  #unnest(tokens: Token[], list: string, closed: number): [string, number] {
    let at = closed + 1;
    const named = (fallback: string) => {
      if (tokens[at]?.text === 'AS') at += 1;
      else if (tokens[at]?.kind !== 'name') return fallback;
      at += 1;
      return this.#single(tokens[at - 1]!);
    };
    const item = named('item');
    const range = /^GENERATE_ARRAY \( (.+) \)$/.exec(list);
    if (range) {
      const [from, to] = range[1]!.split(',');
      return [`(SELECT range AS ${item} FROM range(${from}, ${to} + 1))`, at];
    }
    if (tokens[at]?.text !== 'WITH' || tokens[at + 1]?.text !== 'OFFSET') {
      return [`(SELECT unnest(${list}) AS ${item})`, at];
    }
    at += 2;
    const place = named('"offset"');
    return [`(SELECT unnest(${list}) AS ${item}, generate_subscripts(${list}, 1) - 1 AS ${place})`, at];
  }

  /** PARTITION BY of a window, which takes no floats and no JSON. */
  #partition(tokens: Token[], at: number): [string, number] {
    let end = at + 2;
    for (let depth = 0; end < tokens.length; end += 1) {
      const { kind, text } = tokens[end]!;
      if (kind === 'sign' && text === '(') depth += 1;
      if (kind === 'sign' && text === ')' && (depth -= 1) < 0) break;
      if (depth === 0 && kind === 'word' && ['ORDER', 'ROWS', 'RANGE'].includes(text)) break;
    }
    const parts = splitAt(tokens.slice(at + 2, end), (token) => token.kind === 'sign' && token.text === ',');
    return [`PARTITION BY ${parts.map((part) => `PARTED(${this.write(part)})`).join(', ')}`, end];
  }

  #interval(tokens: Token[], at: number): [string, number] {
    let depth = 0;
    for (let end = at + 1; end < tokens.length; end += 1) {
      const { kind, text } = tokens[end]!;
      if (kind === 'sign' && text === '(') depth += 1;
      if (kind === 'sign' && text === ')') depth -= 1;
      if (depth > 0 || kind !== 'word' || !parts.has(text)) continue;
      const count = this.write(tokens.slice(at + 1, end));
      return [`to_${text.toLowerCase()}s(CAST(${count} AS BIGINT))`, end + 1];
    }
    return ['INTERVAL', at + 1];
  }

  /** What a project says of itself: `project`.`dataset`.INFORMATION_SCHEMA.VIEW, and __TABLES__. */
  #catalog(tokens: Token[], at: number): [string, number] | null {
    const is = (offset: number, text: string) => tokens[at + offset]?.text === text;
    if (tokens[at]?.text !== this.#project || !is(1, '.') || !is(3, '.')) return null;
    const { text, written } = tokens[at + 2]!;
    const dataset = (written ?? text).replaceAll("'", "''");
    const of = (view: string) => `(SELECT * FROM bq.main.${view} WHERE table_schema = '${dataset}')`;
    if (is(4, 'INFORMATION_SCHEMA') && is(5, '.')) return [of(tokens[at + 6]!.text), at + 7];
    return is(4, '__TABLES__') ? [of('META'), at + 5] : null;
  }

  /** A type as DuckDB names it. */
  type(tokens: Token[]): string {
    const [{ text } = { text: '' }, ...rest] = tokens;
    if (text === 'ARRAY') return `${this.type(rest.slice(1, -1))}[]`;
    if (text === 'STRUCT') {
      const fields = splitAt(rest.slice(1, -1), (token) => token.text === ',', '([<');
      return `STRUCT(${fields.map(([name, ...of]) => `${this.#single(name!)} ${this.type(of)}`).join(', ')})`;
    }
    if (text === 'NUMERIC' || text === 'BIGNUMERIC') {
      return rest.length > 0 ? `DECIMAL${this.write(rest)}` : types[text]!;
    }
    return types[text] ?? text;
  }

  #single({ kind, text, written }: Token): string {
    switch (kind) {
      case 'name': {
        const names = text.startsWith(`${this.#project}.`) ? text.split('.') : [text];
        return names.map(quoted).join('.');
      }
      case 'text':
        return `'${text.replaceAll("'", "''")}'`;
      // A literal with a point is a FLOAT64.
      case 'number':
        return /^[\d.]*\.[\d.]*$/.test(text) ? `${text}e0` : text;
      case 'sign':
        return text.startsWith('@') && !text.startsWith('@@') ? `$${text.slice(1)}` : text;
      case 'word':
      default:
        return written ?? text;
    }
  }
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Where the parenthesis or bracket that opens there closes. */
export function closing(tokens: readonly Token[], opening: number): number {
  let depth = 0;
  for (let at = opening; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    if (kind !== 'sign') continue;
    if (text === '(' || text === '[') depth += 1;
    if ((text === ')' || text === ']') && (depth -= 1) === 0) return at;
  }
  return tokens.length;
}

const closingOf = (opening: string) => (opening.includes('<') ? ')]>' : ')]');

/** The pieces between separators that stand in no parentheses. */
function splitAt(
  tokens: readonly Token[],
  isSeparator: (token: Token) => boolean,
  opening = '([',
): Token[][] {
  const pieces: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'sign' && opening.includes(token.text)) depth += 1;
    if (token.kind === 'sign' && closingOf(opening).includes(token.text)) depth -= 1;
    if (depth === 0 && isSeparator(token)) pieces.push([]);
    else pieces.at(-1)!.push(token);
  }
  return pieces;
}
