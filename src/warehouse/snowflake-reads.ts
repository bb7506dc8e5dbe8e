import { AppError } from '#base/errors.ts';
import { type Token, tokensOf } from './snowflake-tokens.ts';

/** What may stand where tables do, besides tables and views: it makes rows of what it is given. */
const tableFunctions = new Set(['FLATTEN', 'GENERATOR', 'SPLIT_TO_TABLE', 'STRTOK_SPLIT_TO_TABLE']);

/** After these, no more tables are named until the next FROM or JOIN. */
const endsFrom = new Set(
  'SELECT WHERE GROUP HAVING QUALIFY ORDER LIMIT OFFSET FETCH UNION INTERSECT EXCEPT MINUS WINDOW'.split(' '),
);

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
 * The names under which a SELECT reads tables and views, each with one to three parts, read from its text; those that WITH
 * gives are none. Fails with BAD_USER_INPUT where it reads from a stage, a function that is not one of values, or the like.
 */
export function readsOf(select: string): string[][] {
  const tokens = tokensOf(select);
  refuseCalls(tokens);
  const frames: Frame[] = [frameOf(false)];
  const reads = new Map<string, string[]>();
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]!;
    const frame = frames.at(-1)!;
    if (token.kind === 'sign' && token.text === '(') {
      frames.push(frameOf(frame.expects, nameBefore(tokens, at)));
      frame.expects = false;
    } else if (token.kind === 'sign' && token.text === ')') {
      if (frames.length > 1) frames.pop();
      if (frame.names !== null) frames.at(-1)!.named.add(frame.names);
    } else if (frame.expects && isBegun(token)) {
      at = readTable(tokens, at, frame, (parts) => {
        const isNamed = parts.length === 1 && frames.some(({ named }) => named.has(parts[0]!));
        if (!isNamed) reads.set(JSON.stringify(parts), parts);
      });
    } else {
      follow(tokens, at, frame);
    }
  }
  return [...reads.values()];
}

/** Whether what stands where a table is expected is more than a word before it. */
function isBegun({ kind, text }: Token): boolean {
  return kind !== 'word' || !['LATERAL', 'SELECT', 'WITH', 'VALUES', 'ONLY'].includes(text);
}

/** Which part of the SELECT the token begins. */
function follow(tokens: Token[], at: number, frame: Frame): void {
  const { kind, text } = tokens[at]!;
  if (kind === 'sign') {
    if (text === ',' && frame.inFrom) frame.expects = true;
    return;
  }
  if (kind !== 'word') return;
  if (text === 'SELECT') frame.hasSelect = true;
  if (endsFrom.has(text) || text === 'VALUES' || text === 'WITH') {
    frame.inFrom = false;
    frame.expects = false;
  }
  // IS DISTINCT FROM, and that of EXTRACT and TRIM, begin no list of tables.
  const compares = tokens[at - 1]?.text === 'DISTINCT' && ['IS', 'NOT'].includes(tokens[at - 2]?.text ?? '');
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
  while (tokens[at + 1]?.text === '.' && tokens[at + 1]?.kind === 'sign') {
    const next = tokens[at + 2];
    if (next?.kind === 'word' || next?.kind === 'name') {
      parts.push(next.text);
      at += 2;
    } else {
      // database..table: the schema left out.
      parts.push('PUBLIC');
      at += 1;
    }
  }
  const isCall = tokens[at + 1]?.text === '(' && tokens[at + 1]?.kind === 'sign';
  if (!isCall) {
    read(parts);
    return at;
  }
  const called = first.text === 'TABLE' && first.kind === 'word' ? tokens[at + 2] : first;
  if (parts.length > 1 || called?.kind !== 'word' || !tableFunctions.has(called.text)) throw refused(called);
  return at;
}

/** The name before an opening parenthesis that WITH gives to what stands in it: name AS (, name (columns) AS (. */
function nameBefore(tokens: Token[], at: number): string | null {
  let before = at - 1;
  if (tokens[before]?.text !== 'AS') return null;
  before -= 1;
  if (tokens[before]?.text === ')') {
    while (before >= 0 && tokens[before]?.text !== '(') before -= 1;
    before -= 1;
  }
  const [lead, name] = [tokens[before - 1], tokens[before]];
  const isNamed = lead !== undefined && ['WITH', 'RECURSIVE', ','].includes(lead.text);
  return isNamed && (name?.kind === 'word' || name?.kind === 'name') ? name.text : null;
}

/** Functions over values that look into the account, or change it. */
function refuseCalls(tokens: Token[]): void {
  for (const [at, token] of tokens.entries()) {
    const isCall = token.kind === 'word' && tokens[at + 1]?.text === '(';
    if (isCall && token.text.startsWith('SYSTEM$')) throw refused(token);
    const isNext = token.text === 'NEXTVAL' && tokens[at - 1]?.text === '.';
    if (isNext) throw refused(token);
  }
}

function refused(token: Token | undefined): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `The SELECT may not read from ${JSON.stringify(token?.text ?? '')}: only tables and views, and ${[...tableFunctions].join(', ')}.`,
    { fix: 'Load what it shall read into a table first.' },
  );
}
