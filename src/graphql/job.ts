import type { StreamSelection } from '#connectors/contract.ts';
import { storedSelections } from '#pipelines/stream-state.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { SyncMode, WriteMode } from './connector.ts';
import { createdOrder } from './created-order.ts';
import { uuidOf } from './global-id.ts';
import { listNested, listRows, nameHolds } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';
import { findRow, whichOne } from './rows.ts';
import { Schedule, scheduleOf } from './schedule.ts';

const Difference = builder.objectRef<NonNullable<StreamSelection['difference']>>('Difference').implement({
  description: 'How INCREMENTAL goes by difference. Needs CONTROL_READ.',
  fields: (t) => ({
    mirrorRemovals: t.exposeBoolean('mirrorRemovals', {
      description: "Whether rows that are gone from the source go from the destination's table too.",
    }),
  }),
});

const JobStream = builder.objectRef<StreamSelection>('JobStream').implement({
  description: 'A stream that a job moves, and how, with every default filled in. Needs CONTROL_READ.',
  fields: (t) => ({
    namespace: t.exposeString('namespace', {
      nullable: true,
      description: "The stream's namespace. Null where the source has none.",
    }),
    name: t.exposeString('name', { description: "The stream's name." }),
    syncMode: t.expose('syncMode', { type: SyncMode, description: 'How much of it a task reads.' }),
    writeMode: t.expose('writeMode', {
      type: WriteMode,
      description: 'What becomes of the rows that its table has.',
    }),
    cursorField: t.exposeString('cursorField', {
      nullable: true,
      description: 'The column that INCREMENTAL goes by. Null where it needs none.',
    }),
    primaryKey: t.exposeStringList('primaryKey', {
      description: 'The columns that UPSERT tells rows apart by. Empty when nothing does.',
    }),
    destinationTable: t.exposeString('destinationTable', {
      description: 'The table, or folder of files, that it is written to.',
    }),
    selectedColumns: t.exposeStringList('selectedColumns', {
      nullable: true,
      description: 'The columns that are moved. Null for all, those to come included.',
    }),
    difference: t.field({
      type: Difference,
      nullable: true,
      description: 'How INCREMENTAL finds changes by comparing rows. Null where it goes by a cursor.',
      resolve: ({ difference }) => difference ?? null,
    }),
  }),
});

export const Job = builder.prismaNode('Job', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description: 'Source to destination, with the streams to move and when. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, { name: 'Its name, unique among the jobs of the project.' }),
    source: t.relation('source', { description: 'Where rows come from.' }),
    destination: t.relation('destination', { description: 'Where rows go.' }),
    active: t.exposeBoolean('active', {
      description:
        'Whether the schedule, and what it reads being written, start tasks. syncJob starts one either way.',
    }),
    runAfterInputs: t.exposeBoolean('runAfterInputs', {
      description: 'Whether a task starts when one of the tables that it reads was written.',
    }),
    schedule: t.field({
      type: Schedule,
      nullable: true,
      description: 'When tasks start by themselves. Null when they never do.',
      select: { cron: true, timeZone: true },
      resolve: scheduleOf,
    }),
    nextRunAt: t.expose('nextRunAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the schedule starts the next task. Null without a schedule, and while the job is not active.',
    }),
    streams: t.field({
      type: [JobStream],
      description: 'The streams to move.',
      select: { streams: true },
      resolve: ({ streams }) => storedSelections(streams),
    }),
  }),
});

const JobConnection = connectionOf(Job, 'Job', 'jobs');
const jobOrder = createdOrder('job', 'oldest first');

builder.prismaObjectField('Source', 'jobs', (t) =>
  t.field({
    type: JobConnection,
    description: 'The jobs that read from it, oldest first.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    select: { id: true },
    resolve: (source, args, context, info) =>
      listNested({
        context,
        info,
        args,
        type: 'Job',
        order: jobOrder,
        parentId: source.id,
        table: 'job',
        parentColumn: 'source_id',
      }),
  }),
);

builder.prismaObjectField('Destination', 'jobs', (t) =>
  t.field({
    type: JobConnection,
    description: 'The jobs that write to it, oldest first.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    select: { id: true },
    resolve: (destination, args, context, info) =>
      listNested({
        context,
        info,
        args,
        type: 'Job',
        order: jobOrder,
        parentId: destination.id,
        table: 'job',
        parentColumn: 'destination_id',
      }),
  }),
);

builder.queryFields((t) => ({
  jobs: t.field({
    type: JobConnection,
    description: 'The jobs of the project, oldest first. Needs CONTROL_READ.',
    args: {
      sourceId: t.arg.id({ description: 'Only those that read from this source. Null for any.' }),
      destinationId: t.arg.id({ description: 'Only those that write to this destination. Null for any.' }),
      active: t.arg.boolean({
        description: 'Only those whose schedule is, or is not, active. Null for both.',
      }),
      search: t.arg.string({ description: 'Only those whose name holds this, in any case. Null for all.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => {
      const where = {
        name: nameHolds(args.search),
        ...(args.sourceId != null && { sourceId: uuidOf('Source', args.sourceId) }),
        ...(args.destinationId != null && { destinationId: uuidOf('Destination', args.destinationId) }),
        ...(args.active != null && { active: args.active }),
      };
      return listRows({ context, info, args, type: 'Job', order: jobOrder, where });
    },
  }),
  job: t.field({
    type: Job,
    nullable: true,
    description:
      'One job, by id or by name; by both it must be the same. Null when the project has none such. Needs CONTROL_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      findRow<typeof Job.$inferType>(context, info, 'Job', whichOne('Job', args)),
  }),
}));
