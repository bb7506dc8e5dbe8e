import type { Token } from './select-reads.ts';

/** Comments, texts (raw or not, of one or three quotes), quoted names, words, binds, numbers, and signs. */
const pieces =
  /\s+|(?<comment>--[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<prefix>rb|br|r|b)?(?:'''(?<single>(?:[^\\]|\\[\s\S])*?)'''|"""(?<double>(?:[^\\]|\\[\s\S])*?)"""|'(?<text>(?:[^'\\\n]|\\[\s\S])*)'|"(?<quoted>(?:[^"\\\n]|\\[\s\S])*)")|`(?<name>(?:[^`\\\n]|\\[\s\S])*)`|(?<bind>@@?[\p{L}_][\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)|(?<sign>\|\||\|>|=>|[<>!]=|<>|<<|>>|[\s\S])/giuy;

const escapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The pieces of a statement of BigQuery's in order, without comments and spaces. Never fails: what is no SQL is signs. */
export function bigQueryTokens(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups, index } of sql.matchAll(pieces)) {
    const of = groups as Record<string, string | undefined>;
    const text = of.single ?? of.double ?? of.text ?? of.quoted;
    if (text !== undefined) {
      tokens.push({ kind: 'text', text: of.prefix?.toLowerCase() === 'r' ? text : unescaped(text), index });
    } else if (of.name !== undefined) tokens.push({ kind: 'name', text: unescaped(of.name), index });
    else if (of.word !== undefined) {
      tokens.push({ kind: 'word', text: of.word.toUpperCase(), written: of.word, index });
    } else if (of.number !== undefined) tokens.push({ kind: 'number', text: of.number, index });
    else if (of.bind !== undefined) tokens.push({ kind: 'sign', text: of.bind, index });
    else if (of.sign !== undefined) tokens.push({ kind: 'sign', text: of.sign, index });
  }
  return tokens;
}

function unescaped(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|([0-7]{3})|([\s\S]))/gi,
    (_whole, ...parts: (string | undefined)[]) => {
      const [short, long, hex, octal, other = ''] = parts;
      const code = short ?? long ?? hex;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      return escapes[other] ?? other;
    },
  );
}
