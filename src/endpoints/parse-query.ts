import { AppError } from '#base/errors.ts';

/** A piece of a query: SQL as it stands, or the place of a parameter. */
export type QueryPiece = string | { param: string; at: number };

/*
 * What hides a colon: texts, quoted names, comments and casts. Dollar quotes are PostgreSQL's and DuckDB's, backticks
 * BigQuery's and Databricks', backslashes in texts those of the engines that have them: a text that ends differently in two
 * engines is refused rather than guessed.
 */
const skipped = [
  /'(?:[^'\\]|'')*'/y,
  /"(?:[^"]|"")*"/y,
  /`[^`]*`/y,
  /--[^\n]*/y,
  /\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$/y,
  /::/y,
];
/** Not what follows a name, a number or a bracket: that is a path into a value (`v:name`) or a slice (`list[1:n]`). */
const paramPattern = /(?<![\w"'`\])]):([A-Za-z_]\w*)/y;
const plain = /[^'"`\-/$:;#]+/y;

/**
 * Cuts a query at its parameters: `:name` outside of texts, quoted names and comments. A last semicolon goes. Fails with
 * BAD_USER_INPUT for more than one statement and for what is left open; the message says where. This is for the author:
 * what a caller gives is a bind wherever it stands, and what the query may do is the engine's to check.
 */
export function parseQuery(query: string): QueryPiece[] {
  const pieces: QueryPiece[] = [];
  let text = '';
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(query);
  };
  while (at < query.length) {
    const hidden =
      take(plain) ?? skipped.reduce<RegExpExecArray | null>((found, each) => found ?? take(each), null);
    if (hidden) {
      text += hidden[0];
      at += hidden[0].length;
      continue;
    }
    const comment = blockComment(query, at);
    if (comment > 0) {
      text += query.slice(at, at + comment);
      at += comment;
      continue;
    }
    const param = take(paramPattern);
    if (param) {
      pieces.push(text, { param: param[1]!, at });
      text = '';
      at += param[0].length;
      continue;
    }
    const character = query[at]!;
    if (character === ';') {
      refuseMore(query, at);
      break;
    }
    refuseOpen(query, at);
    text += character;
    at += 1;
  }
  return [...pieces, text].filter((piece) => piece !== '');
}

/**
 * The pieces with `(:name)` of each list as one place, without the parentheses: a list becomes a subquery, which brings its
 * own. Fails with BAD_USER_INPUT where a list stands otherwise.
 */
export function withLists(
  query: string,
  pieces: readonly QueryPiece[],
  lists: ReadonlySet<string>,
): QueryPiece[] {
  const out = [...pieces];
  for (const [index, piece] of pieces.entries()) {
    if (typeof piece === 'string' || !lists.has(piece.param)) continue;
    const [before, after] = [out[index - 1], out[index + 1]];
    const isOpen = typeof before === 'string' && /\(\s*$/.test(before);
    const isClosed = typeof after === 'string' && /^\s*\)/.test(after);
    if (!isOpen || !isClosed) {
      const message = `The list :${piece.param} at ${place(query, piece.at)} does not stand alone in parentheses.`;
      throw new AppError('BAD_USER_INPUT', message, { fix: `Write it as IN (:${piece.param}).` });
    }
    out[index - 1] = before.replace(/\(\s*$/, '');
    out[index + 1] = after.replace(/^\s*\)/, '');
  }
  return out.filter((piece) => piece !== '');
}

/** The names of the parameters, each once, in the order of their first places. */
export function paramsIn(pieces: readonly QueryPiece[]): string[] {
  return [...new Set(pieces.flatMap((piece) => (typeof piece === 'string' ? [] : [piece.param])))];
}

/** The length of a block comment that begins here, those within it counted as engines do that nest them; 0 for none. */
function blockComment(query: string, from: number): number {
  if (!query.startsWith('/*', from)) return 0;
  let depth = 0;
  for (let at = from; at < query.length; at += 1) {
    if (query.startsWith('/*', at)) depth += 1;
    else if (query.startsWith('*/', at)) depth -= 1;
    else continue;
    at += 1;
    if (depth === 0) return at + 1 - from;
  }
  throw left(query, from, 'A comment');
}

/** After the semicolon only what says nothing may follow. */
function refuseMore(query: string, at: number): void {
  const rest = query.slice(at + 1).replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\/|[\s;]+/g, '');
  if (rest === '') return;
  throw new AppError(
    'BAD_USER_INPUT',
    `The query is more than one statement: there is more after the semicolon at ${place(query, at)}.`,
    {
      fix: 'Declare one SELECT, or an endpoint for each.',
    },
  );
}

function refuseOpen(query: string, at: number): void {
  const character = query[at]!;
  if (character === "'" && /'(?:[^']|'')*'/y.test(query.slice(at))) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The text at ${place(query, at)} holds a backslash, which engines read differently.`,
      {
        fix: 'Pass it as a parameter, or build it with chr(92).',
      },
    );
  }
  if (character === "'") throw left(query, at, 'A text');
  if (character === '"' || character === '`') throw left(query, at, 'A quoted name');
}

function left(query: string, at: number, what: string): AppError {
  return new AppError('BAD_USER_INPUT', `${what} that begins at ${place(query, at)} does not end.`, {
    fix: 'Close it.',
  });
}

/** For people: "line 2, column 14". */
export function place(query: string, at: number): string {
  const before = query.slice(0, at).split('\n');
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
