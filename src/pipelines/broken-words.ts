import { breaksOfColumns, namedThing } from '#catalog/breaks.ts';
import type { ColumnsBefore } from '#catalog/mark-written.ts';
import type { PipelineDeps } from './deps.ts';

/** A log has so many of them by name, and then their number. */
const linesMax = 20;

/** What the log says of metrics, signals and transformations that do not work any more with the columns that tables have now. */
export async function brokenWords(
  { store, findBreaks }: Pick<PipelineDeps, 'store' | 'findBreaks'>,
  projectId: string,
  before: ColumnsBefore,
): Promise<string[]> {
  const breaks = await breaksOfColumns(store.db, findBreaks, projectId, before);
  const lines = breaks
    .slice(0, linesMax)
    .map((each) => `${namedThing(each)} does not work any more: ${each.reason}`);
  const more = breaks.length - lines.length;
  return more > 0 ? [...lines, `${more} more do not work any more, either.`] : lines;
}
