import { checkName } from '#accounts/check-name.ts';
import type { Problem } from '#base/errors.ts';

const titleLengthMax = 200;
const descriptionLengthMax = 10_000;

/** The name of a metric, and what is wrong with it: expressions must be able to say it. */
export function checkMetricName(given: string): { name: string; problems: Problem[] } {
  const { name, problems } = checkName(given, 'metric');
  if (problems.length === 0 && !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
    problems.push({
      code: 'INVALID',
      path: ['name'],
      message: `${JSON.stringify(name)} cannot be the name of a metric: expressions use it, so that only letters from a to z, digits and _ are allowed, and no digit first.`,
      fix: 'Give a name such as "active_users", and say it for people in title.',
    });
  }
  return { name, problems };
}

/** What is wrong with the words for people. */
export function checkWords(words: {
  title?: string | null | undefined;
  description?: string | null | undefined;
}): Problem[] {
  return [
    ...tooLong('title', words.title, titleLengthMax),
    ...tooLong('description', words.description, descriptionLengthMax),
  ];
}

/** The title that is kept: the name where none is given. */
export function titleOf(title: string | null | undefined, name: string): string {
  return title?.trim() || name;
}

function tooLong(field: string, text: string | null | undefined, max: number): Problem[] {
  if (text == null || text.length <= max) return [];
  const message = `The ${field} of the metric has ${text.length} characters; at most ${max} are allowed.`;
  return [{ code: 'INVALID', path: [field], message }];
}
