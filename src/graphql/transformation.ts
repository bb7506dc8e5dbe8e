import { Prisma } from '#generated/prisma/client.ts';
import type { Formula as FormulaShape, FormulaColumn as FormulaColumnShape } from '#pipelines/formula.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { createdOrder } from './created-order.ts';
import { firstNested, listNested, listRows, nameHolds } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';
import { findRow, readRow, whichOne } from './rows.ts';
import { Schedule, scheduleOf } from './schedule.ts';
import { EntityKind, Table, TableKind } from './table.ts';
import { Task, TaskConnection, taskOrder, TaskStatus } from './task.ts';

const FormulaColumn = builder.objectRef<FormulaColumnShape>('FormulaColumn').implement({
  description: 'A column that is computed for each entity. Needs CONTROL_READ.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name in the table.' }),
    expression: t.exposeString('expression', {
      description: 'SQL over the fields and properties of the entity, by their names.',
    }),
  }),
});

const Formula = builder.objectRef<FormulaShape>('Formula').implement({
  description: 'Columns that are computed for each entity of a kind. Needs CONTROL_READ.',
  fields: (t) => ({
    entity: t.expose('entity', { type: EntityKind, description: 'Of what the table has one row each.' }),
    columns: t.field({
      type: [FormulaColumn],
      description: 'The columns that follow the key, in order.',
      resolve: ({ columns }) => [...columns],
    }),
  }),
});

interface TargetShape {
  targetKind: typeof TableKind.$inferType;
  targetSchema: string;
  targetTable: string;
}

const TransformationTarget = builder.objectRef<TargetShape>('TransformationTarget').implement({
  description: 'The table or view that a transformation makes. Needs CONTROL_READ.',
  fields: (t) => ({
    kind: t.expose('targetKind', {
      type: TableKind,
      description: 'TABLE keeps the rows of the last run; VIEW computes them whenever it is read.',
    }),
    schema: t.exposeString('targetSchema', { description: 'The schema it lies in.' }),
    table: t.exposeString('targetTable', { description: 'Its name in the schema.' }),
  }),
});

export const Transformation = builder.prismaNode('Transformation', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description:
    'A SELECT, or formulas over an entity, that is kept as a table or view of a datastore. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, { name: 'Its name, unique among the transformations of the project.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it is for, in words. Null when nobody said.',
    }),
    datastore: t.relation('datastore', { description: 'Where it reads and writes.' }),
    sql: t.exposeString('sql', { nullable: true, description: 'The SELECT. Null when it has a formula.' }),
    formula: t.field({
      type: Formula,
      nullable: true,
      description: 'What is computed for each entity. Null when it has a SELECT.',
      select: { formula: true },
      // Written by upsertTransformation alone, in this shape.
      resolve: ({ formula }) => formula as unknown as FormulaShape | null,
    }),
    target: t.field({
      type: TransformationTarget,
      description: 'The table or view that it makes.',
      select: { targetKind: true, targetSchema: true, targetTable: true },
      resolve: (transformation) => transformation,
    }),
    active: t.exposeBoolean('active', {
      description: 'Whether schedule and inputs start tasks. runTransformation starts one either way.',
    }),
    runAfterInputs: t.exposeBoolean('runAfterInputs', {
      description: 'Whether a task starts when one of its inputs was written.',
    }),
    schedule: t.field({
      type: Schedule,
      nullable: true,
      description: 'When tasks start by themselves. Null when no time starts them.',
      select: { cron: true, timeZone: true },
      resolve: scheduleOf,
    }),
    nextRunAt: t.expose('nextRunAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the schedule starts the next task. Null without a schedule, and while not active.',
    }),
  }),
});

builder.prismaObjectFields('Transformation', (t) => ({
  targetTable: t.field({
    type: Table,
    nullable: true,
    description: 'The table that it made. Null until it ran, and when the table is gone. Needs DATA_READ.',
    select: { feeds: { select: { tableId: true }, orderBy: { writtenAt: 'desc' }, take: 1 } },
    resolve: ({ feeds }, _args, context, info) =>
      readRow<typeof Table.$inferType>(context, info, 'Table', feeds[0]?.tableId),
  }),
  inputs: t.field({
    type: [Table],
    description:
      'The tables that it reads, those behind views included, as its engine last understood it. Needs DATA_READ.',
    select: { inputs: { select: { tableId: true }, orderBy: { tableId: 'asc' } } },
    resolve: async ({ inputs }, _args, context, info) => {
      const tables = inputs.map(({ tableId }) =>
        readRow<typeof Table.$inferType>(context, info, 'Table', tableId),
      );
      return (await Promise.all(tables)).filter((table) => table !== null);
    },
  }),
  lastTask: t.field({
    type: Task,
    nullable: true,
    description: 'Its newest task. Null when it never ran.',
    select: { id: true },
    resolve: ({ id }, _args, context, info) =>
      firstNested<typeof Task.$inferType & { createdAt: Date }>({ ...tasksOf(id), context, info }),
  }),
  tasks: t.field({
    type: TaskConnection,
    description: 'Its tasks, newest first.',
    args: {
      status: t.arg({
        type: [TaskStatus],
        description: 'Only those that stand so. Null for all, empty for none.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    select: { id: true },
    resolve: ({ id }, args, context, info) =>
      listNested({
        ...tasksOf(id),
        context,
        info,
        args,
        ...(args.status != null && { where: Prisma.sql`c.status::text = ANY(${args.status}::text[])` }),
      }),
  }),
}));

function tasksOf(parentId: string) {
  return {
    parentId,
    type: 'Task',
    order: taskOrder,
    table: 'task',
    parentColumn: 'transformation_id',
  } as const;
}

builder.prismaObjectField('Task', 'transformation', (t) =>
  t.field({
    type: Transformation,
    nullable: true,
    description:
      'The transformation it executes, when kind is TRANSFORM. Null for other kinds, and once it was deleted.',
    select: { transformationId: true },
    resolve: ({ transformationId }, _args, context, info) =>
      readRow<typeof Transformation.$inferType>(context, info, 'Transformation', transformationId),
  }),
);

const TransformationConnection = connectionOf(Transformation, 'Transformation', 'transformations');
const transformationOrder = createdOrder('transformation', 'oldest first');

builder.queryFields((t) => ({
  transformations: t.field({
    type: TransformationConnection,
    description: 'The transformations of the project, oldest first. Needs CONTROL_READ.',
    args: {
      search: t.arg.string({ description: 'Only those whose name holds this, in any case. Null for all.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({
        context,
        info,
        args,
        type: 'Transformation',
        order: transformationOrder,
        where: { name: nameHolds(args.search) },
      }),
  }),
  transformation: t.field({
    type: Transformation,
    nullable: true,
    description:
      'One transformation, by id or by name; by both it must be the same. Null when the project has none such. Needs CONTROL_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      findRow<typeof Transformation.$inferType>(
        context,
        info,
        'Transformation',
        whichOne('Transformation', args),
      ),
  }),
}));
