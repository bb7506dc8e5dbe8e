import { parseQuestion } from '#metrics/parse-question.ts';
import { leavesOf, measureTree, type MeasureTree } from '#metrics/measure-tree.ts';
import { type Cut, leafKey, Planner, type Range } from '#metrics/plan.ts';
import type { Question } from '#metrics/question.ts';
import { readDefinitions } from '#metrics/read-definitions.ts';
import { loadGround } from '#metrics/rows.ts';
import { type MetricLab, questionOf } from './metric-lab.ts';

/** The plan of a question in words: what is calculated of which measures, and which of them are one statement. */
export async function planInWords(lab: MetricLab, partial: Partial<Question>, now: Date): Promise<string> {
  const { metrics: deps } = lab.gql.app;
  const question = questionOf(partial);
  const metrics = await readDefinitions(deps, lab.viewer.projectId, question.metrics);
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const ground = await loadGround(deps, lab.viewer.projectId, definitions);
  const parsed = parseQuestion(question, now);
  const trees = parsed.metrics.map((name) => measureTree({ metrics, ground, by: parsed.by }, name));
  const planner = new Planner();
  planner.plan(parsed, trees, () => undefined);
  const leaves = [...new Set(trees.flatMap(leavesOf).map(leafKey))];
  const nameOf = (key: string) => `m${leaves.indexOf(key)}`;
  const lines = [
    `range: ${rangeInWords({ fromMs: parsed.fromMs, toMs: parsed.toMs })}, periods: ${parsed.periods.length}`,
    ...question.metrics.map((name, at) => `${name} = ${treeInWords(trees[at]!, nameOf)}`),
    ...leaves.map((key) => `${nameOf(key)}: ${key}`),
    ...planner.units.map(({ rows, cut, leaves: measures, top }) => {
      const of = measures.map((leaf) => nameOf(leafKey(leaf))).join(', ');
      const kept = top ? `, the ${top.limit} largest by ${leafKey(top.leaf)}` : '';
      return `statement: ${of} over ${rows.key}, ${cutInWords(cut)}${kept}`;
    }),
  ];
  return lines.join('\n');
}

function treeInWords(tree: MeasureTree, nameOf: (key: string) => string): string {
  switch (tree.type) {
    case 'number':
      return String(tree.value);
    case 'leaf':
      return nameOf(leafKey(tree.leaf));
    case 'negate':
      return `-${treeInWords(tree.of, nameOf)}`;
    case 'binary':
    default:
      return `(${treeInWords(tree.left, nameOf)} ${tree.operator} ${treeInWords(tree.right, nameOf)})`;
  }
}

function cutInWords(cut: Cut): string {
  if (cut.type === 'whole') return `whole ${cut.ranges.map(rangeInWords).join(' and ')}`;
  if (cut.type === 'periods')
    return `each ${cut.grain} in ${cut.zone.name} of ${cut.ranges.map(rangeInWords).join(' and ')}`;
  return `${cut.windows.length} windows of cells of a ${cut.cellGrain} in ${cut.zone.name}, ${rangeInWords(cut)}`;
}

function rangeInWords({ fromMs, toMs }: Range): string {
  return `[${fromMs === null ? 'ever' : new Date(fromMs).toISOString()}, ${new Date(toMs).toISOString()})`;
}
