import { expect, test } from 'vitest';
import { type Expression, ExpressionError, namesOf, parseExpression } from '#metrics/expression.ts';

function calculate(expression: Expression, values: Record<string, number>): number {
  switch (expression.type) {
    case 'number':
      return expression.value;
    case 'name':
      return values[expression.name]!;
    case 'negate':
      return -calculate(expression.of, values);
    case 'binary':
    default: {
      const { left, right, operator } = expression;
      const [one, other] = [calculate(left, values), calculate(right, values)];
      return { '+': one + other, '-': one - other, '*': one * other, '/': one / other }[operator];
    }
  }
}

test.each([
  ['1 + 2 * 3', 7],
  ['(1 + 2) * 3', 9],
  ['10 - 4 - 3', 3],
  ['100 / 10 / 2', 5],
  ['-a * -b', 6],
  ['- (a + b) / 2.5e0', -2],
  ['2 - -a', 4],
  ['--a', 2],
  ['\ta\n+ b_2 ', 9],
  ['.5 * a', 1],
])('%j is calculated as arithmetic does', (text, expected) => {
  expect(calculate(parseExpression(text), { a: 2, b: 3, b_2: 7 })).toBe(expected);
});

test.each([
  ['', 'The expression ends where a metric, a number or "(" is expected at character 1'],
  ['a +', 'The expression ends where a metric, a number or "(" is expected at character 4'],
  ['a b', '"b" stands where an operator is expected at character 3'],
  ['(a + b', 'The expression ends where ")" or an operator is expected at character 7'],
  ['a + b)', '")" stands where an operator is expected at character 6'],
  ['a + $b', '"$" cannot stand in an expression at character 5'],
  ['a / * b', '"*" stands where a metric, a number or "(" is expected at character 5'],
  ['1.2.3', '".3" stands where an operator is expected at character 4'],
])('%j is refused with the place', (text, message) => {
  expect(() => parseExpression(text)).toThrow(
    new ExpressionError(message.replace(/ at character \d+$/, ''), Number(/\d+$/.exec(message)![0])),
  );
});

test('an expression cannot be nested, or be so long, that reading it ends the process', () => {
  expect(() => parseExpression('('.repeat(500))).toThrow(/nested too deeply/);
  expect(() => parseExpression('-'.repeat(500))).toThrow(/nested too deeply/);
  expect(() => parseExpression(`a${' + a'.repeat(400)}`)).toThrow(/at most 1000/);
});

test('each name is told once', () => {
  expect(namesOf(parseExpression('a + b * a - (c / 2)'))).toEqual(['a', 'b', 'c']);
});
