import { builder } from './builder.ts';
import { readRow } from './rows.ts';
import { Task } from './task.ts';

interface FreshnessShape {
  syncedAt: Date | null;
  taskId: string | null;
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
    task: t.field({
      type: Task,
      nullable: true,
      description: 'The task that wrote it. Null when no task has. Needs CONTROL_READ.',
      resolve: ({ taskId }, _args, context, info) =>
        readRow<typeof Task.$inferType>(context, info, 'Task', taskId),
    }),
  }),
});
