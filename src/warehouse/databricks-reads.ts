import { AppError } from '#base/errors.ts';
import { type Token, tokensOf } from './databricks-tokens.ts';

/** What may stand where tables do, besides tables and views: it makes rows of what it is given. */
const tableFunctions = new Set(
  'RANGE EXPLODE EXPLODE_OUTER POSEXPLODE POSEXPLODE_OUTER INLINE INLINE_OUTER STACK VARIANT_EXPLODE VARIANT_EXPLODE_OUTER'.split(
    ' ',
  ),
);

/** Functions over values that look elsewhere: at secrets, the network, models, or classes of the engine. */
const refusedFunctions =
  /^(IDENTIFIER|(TRY_)?SECRET|HTTP_REQUEST|AI_\w+|VECTOR_SEARCH|(TRY_)?REFLECT|JAVA_METHOD|READ_\w+|REMOTE_QUERY|TABLE_CHANGES|EVENT_LOG|LIST_SECRETS|CLOUD_FILES\w*)$/;

/** A name of two parts whose first is one of these is a folder of files. */
const formats = new Set('PARQUET DELTA CSV JSON TEXT AVRO ORC BINARYFILE ICEBERG XML JDBC'.split(' '));

/** After these, no more tables are named until the next FROM or JOIN. */
const endsFrom = new Set(
  'SELECT WHERE GROUP HAVING QUALIFY ORDER SORT CLUSTER DISTRIBUTE LIMIT OFFSET UNION INTERSECT EXCEPT MINUS WINDOW PIVOT UNPIVOT'.split(
    ' ',
  ),
);

/** What a SELECT names: tables and views, each with one to three parts, and functions. */
export interface Named {
  tables: string[][];
  functions: string[];
}

/** What stands in one pair of parentheses, or around all. */
interface Frame {
  hasSelect: boolean;
  inFrom: boolean;
  /** A table is named next. */
  expects: boolean;
  /** Names of the WITH that stands here, once their SELECTs have ended. */
  named: Set<string>;
  /** The name that this frame makes a SELECT known by when it ends. */
  names: string | null;
}

const frameOf = (expects: boolean, names: string | null = null): Frame => ({
  hasSelect: false,
  inFrom: expects,
  expects,
  named: new Set(),
  names,
});

/**
 * The names under which a SELECT reads tables and views, read from its text; those that WITH gives are none. Fails with
 * BAD_USER_INPUT where it reads from files, from a function that is not one of values, or in a form that is not understood.
 */
export function readsOf(select: string): Named {
  const tokens = tokensOf(select);
  const functions = calledIn(tokens);
  const frames: Frame[] = [frameOf(false)];
  const tables = new Map<string, string[]>();
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]!;
    const frame = frames.at(-1)!;
    if (isSign(token, '(')) {
      frames.push(frameOf(frame.expects, nameBefore(tokens, at)));
      frame.expects = false;
    } else if (isSign(token, ')')) {
      if (frames.length > 1) frames.pop();
      if (frame.names !== null) frames.at(-1)!.named.add(frame.names);
    } else if (frame.expects && isBegun(token)) {
      at = readTable(tokens, at, frame, (parts) => {
        const isNamed = parts.length === 1 && frames.some(({ named }) => named.has(parts[0]!.toLowerCase()));
        if (!isNamed) tables.set(JSON.stringify(parts), parts);
      });
    } else {
      follow(tokens, at, frame);
    }
  }
  return { tables: [...tables.values()], functions };
}

/** Whether what stands where a table is expected is more than a word before it. */
function isBegun({ kind, text }: Token): boolean {
  return kind !== 'word' || !['LATERAL', 'SELECT', 'WITH', 'VALUES'].includes(text);
}

/** Which part of the SELECT the token begins. */
function follow(tokens: Token[], at: number, frame: Frame): void {
  const { kind, text } = tokens[at]!;
  if (kind === 'sign') {
    if (text === '|>') throw refused(tokens[at]);
    if (text === ',' && frame.inFrom) frame.expects = true;
    return;
  }
  if (kind !== 'word') return;
  // FROM before SELECT, and TABLE in place of it: the same can be written as a SELECT.
  const before = tokens[at - 1]?.text ?? '(';
  const begins = ['(', 'UNION', 'INTERSECT', 'EXCEPT', 'MINUS', 'ALL', 'DISTINCT'].includes(before);
  if (text === 'TABLE' && begins && tokens[at + 1]?.text !== '(') throw refused(tokens[at]);
  if (text === 'FROM' && (at === 0 || before === '(')) throw refused(tokens[at]);
  if (text === 'SELECT') frame.hasSelect = true;
  const makesColumns = text === 'LATERAL' && tokens[at + 1]?.text === 'VIEW';
  if (endsFrom.has(text) || text === 'VALUES' || text === 'WITH' || makesColumns) {
    frame.inFrom = false;
    frame.expects = false;
  }
  // IS DISTINCT FROM, and that of EXTRACT and TRIM, begin no list of tables.
  const compares = before === 'DISTINCT' && ['IS', 'NOT'].includes(tokens[at - 2]?.text ?? '');
  if (text === 'JOIN' || (text === 'FROM' && frame.hasSelect && !compares)) {
    frame.inFrom = true;
    frame.expects = true;
  }
}

/** Reads what stands where a table is expected; gives where it ends. */
function readTable(tokens: Token[], from: number, frame: Frame, read: (parts: string[]) => void): number {
  const first = tokens[from]!;
  frame.expects = false;
  if (first.kind !== 'word' && first.kind !== 'name') throw refused(first);
  let at = from;
  const parts = [first.text];
  while (isSign(tokens[at + 1], '.') && ['word', 'name'].includes(tokens[at + 2]?.kind ?? '')) {
    parts.push(tokens[at + 2]!.text);
    at += 2;
  }
  if (isSign(tokens[at + 1], '(')) {
    if (parts.length > 1 || first.kind !== 'word' || !tableFunctions.has(first.text)) throw refused(first);
    return at;
  }
  const isPath = parts.some((part) => part.includes('/'));
  if (isPath || (parts.length === 2 && formats.has(parts[0]!.toUpperCase()))) throw refused(tokens[at]);
  // Words are in capitals here, and names mean the same in any case.
  read(parts.map((part) => part.toLowerCase()));
  return at;
}

/** The name before an opening parenthesis that WITH gives to what stands in it: name AS (, name (columns) AS (. */
function nameBefore(tokens: Token[], at: number): string | null {
  let before = at - 1;
  if (tokens[before]?.text !== 'AS') return null;
  before -= 1;
  if (isSign(tokens[before], ')')) {
    while (before >= 0 && !isSign(tokens[before], '(')) before -= 1;
    before -= 1;
  }
  const [lead, name] = [tokens[before - 1], tokens[before]];
  const isNamed = lead !== undefined && ['WITH', 'RECURSIVE', ','].includes(lead.text);
  return isNamed && (name?.kind === 'word' || name?.kind === 'name') ? name.text.toLowerCase() : null;
}

/** The functions that are called by a name alone. One with a schema is somebody's own, and may read whatever it likes. */
function calledIn(tokens: Token[]): string[] {
  const called = new Set<string>();
  for (const [at, token] of tokens.entries()) {
    const isName = token.kind === 'word' || token.kind === 'name';
    if (!isName || !isSign(tokens[at + 1], '(')) continue;
    if (isSign(tokens[at - 1], '.') || refusedFunctions.test(token.text.toUpperCase())) throw refused(token);
    called.add(token.text.toLowerCase());
  }
  return [...called];
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === 'sign' && token.text === text;
}

function refused(token: Token | undefined): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `The SELECT may not read from ${JSON.stringify(token?.text ?? '')}: only tables and views, and ${[...tableFunctions].join(', ')}.`,
    { fix: 'Load what it shall read into a table first, and write it as SELECT … FROM.' },
  );
}
