import type { GraphQLResolveInfo } from 'graphql';
import type { FreshnessOf } from '#catalog/ask.ts';
import { oldestWrites } from '#catalog/behind.ts';
import { batchedByKey } from './batch.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { readRow } from './rows.ts';
import { Task } from './task.ts';

interface FreshnessShape extends FreshnessOf {
  /** Of which table this is, where it was not asked yet what that is a copy of. */
  tableId?: string;
}

export const Freshness = builder.objectRef<FreshnessShape>('Freshness').implement({
  description: 'When the data behind this was last written, and by which task. Needs DATA_READ.',
  fields: (t) => ({
    syncedAt: t.expose('syncedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When what was last written could be read. Null when no task has written it; of several tables, as soon as one was never written by a task.',
    }),
    originalSyncedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'Of a copy that a job made of tables of the project: when the oldest of them had been written as the copying began, so that what is shown is at least that fresh. Null for all that is no such copy, and where it is not known.',
      resolve: async ({ originalSyncedAt, tableId }, _args, context, info) => {
        if (originalSyncedAt || tableId === undefined) return originalSyncedAt;
        return (await writeOf(context, info, tableId)).originalSyncedAt;
      },
    }),
    task: t.field({
      type: Task,
      nullable: true,
      description: 'The task that wrote it. Null when no task has. Needs CONTROL_READ.',
      resolve: ({ taskId }, _args, context, info) =>
        readRow<typeof Task.$inferType>(context, info, 'Task', taskId),
    }),
  }),
});

/** When the oldest of what the table shows was written. Many tables cost one statement. */
export function writeOf(context: Context, info: GraphQLResolveInfo, tableId: string): Promise<FreshnessOf> {
  const { projectId } = viewerOf(context);
  const none: FreshnessOf = { syncedAt: null, taskId: null };
  return batchedByKey(context, info, 'freshness', tableId, none, (ids) =>
    oldestWrites(context.app.store.db, projectId, ids),
  );
}
