import { readClientConfig } from '#config.ts';
import { openClient } from './client.ts';
import type { Typed } from './command.ts';
import { logChoiceOf, watchTask } from './watch-task.ts';

/** Watches a task to its end. Fails with AppError when there is no such task. */
export async function runWatch({ arguments: [taskId = ''], flags }: Typed): Promise<number> {
  const choice = logChoiceOf(flags);
  await using client = openClient(readClientConfig(process.env));
  return await watchTask(client, taskId, choice);
}
