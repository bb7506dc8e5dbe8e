/** What DERIVED calculates: names of metrics, numbers, + - * / and parentheses. */
export type Expression =
  | { type: 'number'; value: number }
  | { type: 'name'; name: string; at: number }
  | { type: 'negate'; of: Expression }
  | { type: 'binary'; operator: Operator; left: Expression; right: Expression };

export type Operator = '+' | '-' | '*' | '/';

/** An expression that cannot be read; `at` is the character, from 1. */
export class ExpressionError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at character ${at}`);
    this.name = 'ExpressionError';
    this.at = at;
  }
}

interface Token {
  type: 'number' | 'name' | 'sign' | 'end';
  text: string;
  at: number;
}

const lengthMax = 1_000;
/** Parentheses and signs within each other: a parser that calls itself must end before the stack does. */
const depthMax = 50;
const tokenPattern = /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|([-+*/()]))/y;

/** The expression of a text. Fails with ExpressionError. */
export function parseExpression(text: string): Expression {
  if (text.length > lengthMax) {
    throw new ExpressionError(
      `The expression has ${text.length} characters; at most ${lengthMax} are allowed`,
      lengthMax + 1,
    );
  }
  const tokens = tokensOf(text);
  let next = 0;
  let depth = 0;
  const peek = () => tokens[next] as Token;
  const isSign = (...signs: string[]) => peek().type === 'sign' && signs.includes(peek().text);

  const sum = (): Expression => {
    let left = product();
    while (isSign('+', '-')) left = binary(left, product);
    return left;
  };
  const product = (): Expression => {
    let left = single();
    while (isSign('*', '/')) left = binary(left, single);
    return left;
  };
  const binary = (left: Expression, right: () => Expression): Expression => {
    const operator = tokens[next++]!.text as Operator;
    return { type: 'binary', operator, left, right: right() };
  };
  const single = (): Expression => {
    const token = tokens[next++] as Token;
    if (token.type === 'number') return { type: 'number', value: Number(token.text) };
    if (token.type === 'name') return { type: 'name', name: token.text, at: token.at };
    if (token.text !== '-' && token.text !== '(') throw unexpected(token, 'a metric, a number or "("');
    depth += 1;
    if (depth > depthMax) throw new ExpressionError('The expression is nested too deeply', token.at);
    const inner: Expression = token.text === '-' ? { type: 'negate', of: single() } : sum();
    depth -= 1;
    if (token.text === '(' && !isSign(')')) throw unexpected(peek(), '")" or an operator');
    if (token.text === '(') next += 1;
    return inner;
  };

  const whole = sum();
  if (peek().type !== 'end') throw unexpected(peek(), 'an operator');
  return whole;
}

/** The names in an expression, each once. */
export function namesOf(expression: Expression): string[] {
  switch (expression.type) {
    case 'number':
      return [];
    case 'name':
      return [expression.name];
    case 'negate':
      return namesOf(expression.of);
    case 'binary':
    default:
      return [...new Set([...namesOf(expression.left), ...namesOf(expression.right)])];
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < end) {
    const from = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (!match) {
      const at = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0);
      throw new ExpressionError(`${JSON.stringify(text[at])} cannot stand in an expression`, at + 1);
    }
    const [, number, name, sign] = match;
    const word = (number ?? name ?? sign) as string;
    const type = number === undefined ? (name === undefined ? 'sign' : 'name') : 'number';
    tokens.push({ type, text: word, at: tokenPattern.lastIndex - word.length + 1 });
  }
  tokens.push({ type: 'end', text: '', at: text.length + 1 });
  return tokens;
}

function unexpected(token: Token, allowed: string): ExpressionError {
  const found = token.type === 'end' ? 'The expression ends' : `"${token.text}" stands`;
  return new ExpressionError(`${found} where ${allowed} is expected`, token.at);
}
