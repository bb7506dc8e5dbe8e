/** A piece of Databricks' SQL. Words are in capitals; names are what stands in their backticks. `from` is where it begins. */
export interface Token {
  kind: 'word' | 'name' | 'text' | 'number' | 'sign' | 'bind';
  text: string;
  from: number;
}

/** Comments, texts (raw ones among them), names, binds, words, numbers, and signs: those of more characters, then any one. */
const pieces =
  /\s+|(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|r(?:'(?<raw>[^']*)'|"(?<rawer>[^"]*)")|'(?<text>(?:[^'\\]|\\[\s\S])*)'|"(?<double>(?:[^"\\]|\\[\s\S])*)"|`(?<name>(?:[^`]|``)*)`|:(?<bind>[a-z_]\w*)|(?<number>\d[\w.]*|\.\d\w*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<sign>::|=>|->|\|\||\|>|<=>|[<>!]=|<>|[\s\S])/giuy;

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', '0': '\0', Z: '\u001a' };

/** The statement's pieces in order, without comments and spaces. Never fails: what is no SQL is signs. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups, index: from } of sql.matchAll(pieces)) {
    const { raw, rawer, text, double, name, bind, number, word, sign } = groups as Record<
      string,
      string | undefined
    >;
    const plain = raw ?? rawer;
    const escaped = text ?? double;
    if (plain !== undefined) tokens.push({ kind: 'text', text: plain, from });
    else if (escaped !== undefined) tokens.push({ kind: 'text', text: unescaped(escaped), from });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name.replaceAll('``', '`'), from });
    else if (bind !== undefined) tokens.push({ kind: 'bind', text: bind, from });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, from });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word.toUpperCase(), from });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, from });
  }
  return tokens;
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|([\s\S]))/gi, (_, code: string | undefined, sign: string) =>
    code === undefined ? (escapes[sign] ?? sign) : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
