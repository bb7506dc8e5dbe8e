/**
 * What keeps a text from being one expression that stands between parentheses; undefined when nothing does. Whether the
 * engine can compute it is not looked at, only that nothing of it reaches beyond its parentheses.
 */
export function whatIsNoExpression(text: string): string | undefined {
  if (text.trim() === '') return 'it is empty';
  let depth = 0;
  for (const [token] of text.matchAll(tokens)) {
    const wrong = refused(token);
    if (wrong !== undefined) return wrong;
    if ('([{'.includes(token)) depth += 1;
    if (')]}'.includes(token)) depth -= 1;
    if (depth < 0) return `"${token}" closes what was not opened`;
  }
  return depth > 0 ? 'a parenthesis is not closed' : undefined;
}

/** Whole strings and quoted names, and else what could end an expression or hide a part of it. */
const tokens = /(?<![A-Za-z0-9_])[eE]'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--|\/\*|[$?;'"()[\]{}]/g;

function refused(token: string): string | undefined {
  if (token === ';') return 'it holds ";"';
  if (token === '--' || token === '/*') return 'it holds a comment';
  if (token === '$' || token === '?') return `"${token}" would be a parameter, for which there is no value`;
  if (token === "'" || token === '"') return `a quote (${token}) is not closed`;
  if (/^e'$/i.test(token)) return `strings with escapes (${token}…') are not taken`;
  return undefined;
}
