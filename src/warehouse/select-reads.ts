import { AppError } from '#base/errors.ts';

/** A piece of SQL. Words are in capitals; names are what stands in their quotes. */
export interface Token {
  kind: 'word' | 'name' | 'text' | 'number' | 'sign';
  text: string;
  /** A word as it was written. */
  written?: string;
  /** Where it stands in the statement. */
  index?: number;
}

/** What engines differ in, of what may stand where tables do. */
export interface ReadRules {
  /** What may stand there besides tables and views: it makes rows of what it is given. */
  tableFunctions: ReadonlySet<string>;
  /** The parts of a name that a token holds. */
  partsOf(token: Token): string[];
  /** What a name of WITH is known by. */
  keyOf(name: string): string;
  /** Whether names without quotes may have dashes in them. */
  hasDashes: boolean;
}

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
 * The names under which a SELECT reads tables and views, in their parts, read from its tokens; those that WITH gives are
 * none. Fails with BAD_USER_INPUT where it reads from a function that is not one of values, or the like.
 */
export function readsOfTokens(tokens: readonly Token[], rules: ReadRules): string[][] {
  const frames: Frame[] = [frameOf(false)];
  const reads = new Map<string, string[]>();
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]!;
    const frame = frames.at(-1)!;
    if (token.kind === 'sign' && token.text === '(') {
      const names = nameBefore(tokens, at);
      frames.push(frameOf(frame.expects, names === null ? null : rules.keyOf(names)));
      frame.expects = false;
    } else if (token.kind === 'sign' && token.text === ')') {
      if (frames.length > 1) frames.pop();
      if (frame.names !== null) frames.at(-1)!.named.add(frame.names);
    } else if (frame.expects && isBegun(token)) {
      at = readTable(tokens, at, rules, (parts) => {
        const isNamed = parts.length === 1 && frames.some(({ named }) => named.has(rules.keyOf(parts[0]!)));
        if (!isNamed) reads.set(JSON.stringify(parts), parts);
      });
      frame.expects = false;
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
function follow(tokens: readonly Token[], at: number, frame: Frame): void {
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
function readTable(
  tokens: readonly Token[],
  from: number,
  rules: ReadRules,
  read: (parts: string[]) => void,
): number {
  const first = tokens[from]!;
  if (first.kind !== 'word' && first.kind !== 'name') throw refusedRead(first, rules);
  let at = from;
  const parts = rules.partsOf(first);
  const isSign = (offset: number, sign: string) =>
    tokens[at + offset]?.kind === 'sign' && tokens[at + offset]?.text === sign;
  for (;;) {
    const next = tokens[at + 2];
    if (isSign(1, '.')) {
      if (next?.kind === 'word' || next?.kind === 'name') {
        parts.push(...rules.partsOf(next));
        at += 2;
      } else {
        // database..table: the schema left out.
        parts.push('PUBLIC');
        at += 1;
      }
    } else if (rules.hasDashes && isSign(1, '-') && (next?.kind === 'word' || next?.kind === 'number')) {
      parts.push(`${parts.pop()}-${next.written ?? next.text}`);
      at += 2;
    } else break;
  }
  if (!isSign(1, '(')) {
    read(parts);
    return at;
  }
  const called = first.text === 'TABLE' && first.kind === 'word' ? tokens[at + 2] : first;
  if (parts.length > 1 || called?.kind !== 'word' || !rules.tableFunctions.has(called.text)) {
    throw refusedRead(called, rules);
  }
  return at;
}

/** The name before an opening parenthesis that WITH gives to what stands in it: name AS (, name (columns) AS (. */
function nameBefore(tokens: readonly Token[], at: number): string | null {
  let before = at - 1;
  if (tokens[before]?.text !== 'AS') return null;
  before -= 1;
  if (tokens[before]?.text === ')') {
    while (before >= 0 && tokens[before]?.text !== '(') before -= 1;
    before -= 1;
  }
  const [lead, name] = [tokens[before - 1], tokens[before]];
  const isNamed = lead !== undefined && ['WITH', 'RECURSIVE', ','].includes(lead.text);
  if (!isNamed || (name?.kind !== 'word' && name?.kind !== 'name')) return null;
  return name.written ?? name.text;
}

/** A SELECT reads from what is neither table nor view. */
export function refusedRead(token: Token | undefined, { tableFunctions }: ReadRules): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `The SELECT may not read from ${JSON.stringify(token?.written ?? token?.text ?? '')}: only tables and views, and ${[...tableFunctions].join(', ')}.`,
    { fix: 'Load what it shall read into a table first.' },
  );
}
