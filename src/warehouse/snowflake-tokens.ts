import type { Token } from './select-reads.ts';

/** Comments, texts, quoted names, words, numbers, and signs: those of two characters, then any one. */
const pieces =
  /\s+|(?<comment>--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|'(?<text>(?:[^'\\]|\\[\s\S]|'')*)'|\$\$(?<dollars>[\s\S]*?)\$\$|"(?<name>(?:[^"]|"")*)"|(?<word>[\p{L}_][\p{L}\p{N}_$]*)|(?<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)|(?<sign>::|=>|\|\||[<>!]=|<>|[\s\S])/giuy;

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0' };

/** The statement's pieces in order, without comments and spaces. Words are in capitals, as Snowflake reads them. Never fails: what is no SQL is signs. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups } of sql.matchAll(pieces)) {
    const { text, dollars, name, word, number, sign } = groups as Record<string, string | undefined>;
    if (text !== undefined) tokens.push({ kind: 'text', text: unescaped(text) });
    else if (dollars !== undefined) tokens.push({ kind: 'text', text: dollars });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name.replaceAll('""', '"') });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word.toUpperCase() });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
  }
  return tokens;
}

function unescaped(text: string): string {
  return text.replace(/''|\\([\s\S])/g, (whole, escaped: string | undefined) =>
    escaped === undefined ? whole.slice(1) : (escapes[escaped] ?? escaped),
  );
}
