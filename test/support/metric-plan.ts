import { leavesOf, measureTree, type MeasureTree } from '#metrics/measure-tree.ts';
import { parseQuestion, type ParsedQuestion } from '#metrics/parse-question.ts';
import { type Cut, leafKey, Planner, type QuestionPlan, type Range, type Unit } from '#metrics/plan.ts';
import type { Question } from '#metrics/question.ts';
import type { KnownMetrics } from '#metrics/read-definitions.ts';
import type { Ground } from '#metrics/rows.ts';
import { questionOf } from './metric-lab.ts';

/** What questions are planned on. */
interface Known {
  metrics: KnownMetrics;
  ground: Ground;
}

/** The question with nothing left open, the trees of its metrics, and the statements that it becomes. */
export function planOf(
  known: Known,
  partial: Partial<Question>,
  now: Date,
): { parsed: ParsedQuestion; trees: MeasureTree[]; planned: QuestionPlan; units: Unit[] } {
  const parsed = parseQuestion(questionOf(partial), now);
  const trees = parsed.metrics.map((name) => measureTree({ ...known, by: parsed.by }, name));
  const planner = new Planner();
  const planned = planner.plan(parsed, trees, () => undefined);
  return { parsed, trees, planned, units: planner.units };
}

/** The plan of a question in words: what is calculated of which measures, and which of them are one statement. */
export function planInWords(known: Known, question: Partial<Question>, now: Date): string {
  const { parsed, trees, units } = planOf(known, question, now);
  const leaves = [...new Set(trees.flatMap(leavesOf).map(leafKey))];
  const nameOf = (key: string) => `m${leaves.indexOf(key)}`;
  const lines = [
    `range: ${rangeInWords({ fromMs: parsed.fromMs, toMs: parsed.toMs })}, periods: ${parsed.periods.length}`,
    ...parsed.metrics.map((name, at) => `${name} = ${treeInWords(trees[at]!, nameOf)}`),
    ...leaves.map((key) => `${nameOf(key)}: ${key}`),
    ...units.map(({ rows, cut, leaves: measures, top }) => {
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
