import { expect, test } from 'vitest';
import { fillDemoData } from '../support/demo-data.ts';
import { docBlocks, runBlock } from '../support/doc-blocks.ts';
import { type Data, openTestGraphql, type Variables } from '../support/graphql.ts';

/** All numbers that an answer has as values of metrics. */
function valuesIn(answer: unknown, name = ''): number[] {
  if (typeof answer === 'number') return ['value', 'rows'].includes(name) ? [answer] : [];
  if (Array.isArray(answer)) return answer.flatMap((each) => valuesIn(each, name));
  if (typeof answer !== 'object' || answer === null) return [];
  return Object.entries(answer).flatMap(([key, each]) => valuesIn(each, key));
}

test('every block of docs/metrics.md does on the tables of the demo what the page says', async () => {
  await using gql = await openTestGraphql({ workers: 1 });
  const ada = await gql.signUp('ada');
  await fillDemoData(gql, ada);
  const ids: Variables = {};
  const answers: Record<string, Data> = {};
  for (const { language, text } of await docBlocks('metrics.md')) {
    if (language !== 'graphql') continue;
    const [, kind = '', name = ''] = /^(\w+) (\w+)/.exec(text) ?? [];
    const answer = await runBlock(gql, ada, text, ids);
    answers[name] = answer;
    if (kind === 'query' && name !== 'Broken')
      expect(
        valuesIn(answer).some((value) => value > 0),
        name,
      ).toBe(true);
    const problems = Object.values<Data>(answer).flatMap((each) => each.userErrors ?? []);
    if (!['Wrong', 'WithoutUsers'].includes(name)) expect(problems, name).toEqual([]);
  }
  expect(answers.Wrong.createMetric.userErrors.map(({ path }: Data) => path.join('.'))).toEqual([
    'name',
    'definition.simple.time',
    'definition.simple.measure.column',
  ]);
  expect(answers.Change.updateMetric.usedBy.map(({ name }: Data) => name)).toEqual([
    'views_a_visitor',
    'more_views',
    'visitors_28_days',
    'visitors_ever',
  ]);
  const { breaks, userErrors } = answers.WithoutUsers.mapEntity;
  expect(breaks.map(({ name }: Data) => name)).toEqual([
    'visitors',
    'views_a_visitor',
    'more_views',
    'visitors_28_days',
    'visitors_ever',
    'sharing',
  ]);
  expect(userErrors.length).toBe(breaks.length);
  for (const { problems } of answers.Broken.metrics.nodes) expect(problems).toEqual([]);
  expect(answers.Together.metricTable.sql.length).toBe(1);
  const { metrics } = await gql.ask(ada, '{ metrics { nodes { name kind value } } }');
  expect(metrics.nodes.map(({ value }: Data) => value)).not.toContain(null);
  expect(new Set(metrics.nodes.map(({ kind }: Data) => kind)).size).toBe(5);
  const largest = answers.Largest.metric.series.points.map(({ dimensions }: Data) => dimensions);
  expect(largest.slice(3, 4)).toEqual([{ 'organization.name': 'other' }]);
});
