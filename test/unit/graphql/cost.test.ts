import { complexityFromQuery } from '@pothos/plugin-complexity';
import { expect, test } from 'vitest';
import { schema } from '#graphql/schema.ts';

const cost = (query: string, variables: Record<string, unknown> = {}) =>
  complexityFromQuery(query, { schema, variables }).complexity;

test('a list costs what is below it once per row that its page may have', () => {
  const one = cost('{ sources(first: 1) { nodes { name } } }');
  expect(cost('{ sources(first: 100) { nodes { name } } }')).toBe(1 + 100 * (one - 1));
  expect(cost('{ sources { nodes { name } } }')).toBe(1 + 25 * (one - 1));
  expect(cost('{ sources(last: 50) { nodes { name } } }')).toBe(1 + 50 * (one - 1));
});

test('variables and their defaults count as the sizes they are', () => {
  const query = 'query ($size: Int = 30) { jobs(first: $size) { nodes { name } } }';
  expect(cost(query, { size: 80 })).toBe(cost('{ jobs(first: 80) { nodes { name } } }'));
  expect(cost(query)).toBe(cost('{ jobs(first: 30) { nodes { name } } }'));
});

test('lists in lists multiply, by whichever way their nodes are asked for', () => {
  const nested = cost('{ jobs(first: 100) { nodes { tasks(first: 100) { nodes { id } } } } }');
  expect(nested).toBeGreaterThan(10_000);
  expect(
    cost('{ jobs(first: 100) { edges { node { tasks(first: 100) { edges { node { id } } } } } } }'),
  ).toBeGreaterThan(nested);
});

test('nodes costs by the number of its ids, and a sample by its rows', () => {
  const nodes = (count: number) =>
    cost('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: Array(count).fill('x') });
  expect(nodes(100) - nodes(50)).toBe(50);
  expect(cost('{ table(fqn: "x") { sample(first: 100) { truncated } } }')).toBeGreaterThan(100);
});

test('a size that will be refused costs no less than the largest, and no more', () => {
  expect(cost('{ jobs(first: 1000000000) { nodes { name } } }')).toBe(
    cost('{ jobs(first: 100) { nodes { name } } }'),
  );
  expect(cost('{ jobs(first: -5) { nodes { name } } }')).toBe(cost('{ jobs(first: 1) { nodes { name } } }'));
});

test('twenty whole series, a page of series and a table of a hundred metrics may be asked, and pages of series in pages not', () => {
  const series = 'series(grain: DAY) { points { at dimensions value previousValue change } sql cache }';
  const aliases = Array.from({ length: 20 }, (_, n) => `m${n}: metric(name: "m") { name ${series} }`);
  expect(cost(`{ ${aliases.join(' ')} }`)).toBeLessThan(20_000);
  expect(
    cost('{ metrics(first: 100) { nodes { name value series(grain: DAY) { points { at value } } } } }'),
  ).toBeLessThan(20_000);
  const metrics = Array.from({ length: 100 }, () => 'm');
  const table = 'query ($metrics: [String!]!) { metricTable(metrics: $metrics) { columns { name } rows } }';
  expect(cost(table, { metrics })).toBeLessThan(2_000);
  expect(cost(`{ metrics(first: 100) { nodes { usedBy { ${series} } } } }`)).toBeGreaterThan(20_000);
});
