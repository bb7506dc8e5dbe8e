import { type Direction, type LineageStep, readLineage } from '#catalog/lineage.ts';
import { batchedByKey } from './batch.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { Job } from './job.ts';
import { readRow } from './rows.ts';
import { Table } from './table.ts';
import { Task } from './task.ts';
import { Transformation } from './transformation.ts';
import type { GraphQLResolveInfo } from 'graphql';

const LineageEdge = builder.objectRef<LineageStep>('LineageEdge').implement({
  description:
    'One step of how data came into a table: a stream of a job, or a transformation, with one of the tables that it reads or makes. Needs DATA_READ.',
  fields: (t) => ({
    table: t.field({
      type: Table,
      nullable: true,
      description:
        'The table at the other end. Null for a stream that comes from outside, for a transformation that reads nothing or has made nothing yet, and for a table that is gone.',
      resolve: ({ tableId }, _args, context, info) =>
        readRow<typeof Table.$inferType>(context, info, 'Table', tableId),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description:
        'The job whose stream fills the table. Null for a transformation, and when the job is deleted. Needs CONTROL_READ.',
      resolve: ({ jobId }, _args, context, info) =>
        readRow<typeof Job.$inferType>(context, info, 'Job', jobId),
    }),
    stream: t.exposeString('stream', {
      nullable: true,
      description: 'The stream of the job, as "namespace.name" or "name". Null for a transformation.',
    }),
    transformation: t.field({
      type: Transformation,
      nullable: true,
      description:
        'The transformation that reads the one table and makes the other. Null for a stream, and when the transformation is deleted. Needs CONTROL_READ.',
      resolve: ({ transformationId }, _args, context, info) =>
        readRow<typeof Transformation.$inferType>(context, info, 'Transformation', transformationId),
    }),
    task: t.field({
      type: Task,
      nullable: true,
      description: 'The last task that wrote this way. Null when none has yet. Needs CONTROL_READ.',
      resolve: ({ taskId }, _args, context, info) =>
        readRow<typeof Task.$inferType>(context, info, 'Task', taskId),
    }),
    writtenAt: t.expose('writtenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When what it wrote could be read. Null when none has written yet.',
    }),
  }),
});

builder.prismaObjectFields('CatalogTable', (t) => ({
  upstream: t.field({
    type: [LineageEdge],
    description:
      'What it is made from, one step up: the streams of jobs and the tables that transformations read, newest write first. Empty when neither wrote it.',
    select: { id: true },
    resolve: ({ id }, _args, context, info) => stepsOf(context, info, 'upstream', id),
  }),
  downstream: t.field({
    type: [LineageEdge],
    description:
      'What is made from it, one step down: the tables of the transformations that read it, and those that jobs copy it to, newest write first. Empty when none does.',
    select: { id: true },
    resolve: ({ id }, _args, context, info) => stepsOf(context, info, 'downstream', id),
  }),
}));

/** The steps of many tables cost one statement. */
function stepsOf(
  context: Context,
  info: GraphQLResolveInfo,
  direction: Direction,
  tableId: string,
): Promise<LineageStep[]> {
  const { projectId } = viewerOf(context);
  return batchedByKey<LineageStep[]>(context, info, direction, tableId, [], (ids) =>
    readLineage(context.app.store.db, projectId, direction, ids),
  );
}
