import type { GatewayClient } from '#cli/client.ts';
import { followTask, type TaskEvent } from '#cli/follow-task.ts';
import { printTask } from '#cli/task-printer.ts';
import { viewOf } from '#cli/watch-task.ts';
import type { Say } from './show.ts';

/** What a mutation that starts a task answers. */
interface Started {
  task: { id: string } | null;
  userErrors: readonly { message: string; fix: string | null }[];
}

/** Shows a task to its end, and says whether it has succeeded. One that ran already is as good to watch. */
export async function showTask(
  client: GatewayClient,
  started: Started,
  signal: AbortSignal,
  say: Say,
): Promise<boolean> {
  if (started.task === null) {
    for (const { message, fix } of started.userErrors) say(`  ${message} ${fix ?? ''}`.trimEnd());
    return false;
  }
  const printer = printTask(process.stdout);
  const follower = {
    changed: (task: TaskEvent) => printer.show(viewOf(task)),
    logs: {
      minLevel: 'WARN' as const,
      line: (line: { message: string }) => printer.line(`  ${line.message}`),
    },
    lost: (reason: string) => printer.line(`  ${reason}`),
  };
  const last = await followTask(client, started.task.id, follower, signal);
  printer.end();
  if (last?.error) say(`  ${last.error.message} ${last.error.fix ?? ''}`.trimEnd());
  return last?.status === 'SUCCEEDED';
}
