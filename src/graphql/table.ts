import { jsonOfValue } from '#base/json-value.ts';
import { AppError } from '#base/errors.ts';
import type { SaidColumn } from '#catalog/save-tables.ts';
import { fqnOf, sampleTable } from '#catalog/tables.ts';
import { updateTable } from '#catalog/update-table.ts';
import { Prisma } from '#generated/prisma/client.ts';
import { builder } from './builder.ts';
import { Column } from './column.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { asExpected } from './error-codes.ts';
import { Freshness, writeOf } from './freshness.ts';
import { uuidOf, uuidOfInput } from './global-id.ts';
import { listNested, listRows } from './lists.ts';
import { attempt, payloadType, writtenThing } from './payload.ts';
import { findRow } from './rows.ts';
import { RowSet } from './row-set.ts';
import { isMappedTo, tableHolds, whereFqn } from './table-conditions.ts';

export const TableKind = builder.enumType('TableKind', {
  description: 'Whether rows are kept or computed.',
  values: {
    TABLE: { description: 'Keeps rows.' },
    VIEW: { description: 'Computes rows when it is read.' },
  },
});

export const EntityKind = builder.enumType('EntityKind', {
  description: 'What the rows of a table stand for.',
  values: {
    USER: { description: 'People who use a product.' },
    ORGANIZATION: { description: 'Groups of users, such as companies.' },
    EVENT: { description: 'Things that users did.' },
  },
});

const sampleRowsDefault = 10;
const sampleRowsMax = 100;

/** What names a table across datastores. */
const fqnSelect = {
  database: true,
  schema: true,
  name: true,
  datastore: { select: { name: true } },
} as const;

export const Table = builder.prismaNode('CatalogTable', {
  name: 'Table',
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description: 'A table or view of a datastore, as the catalog last saw it. Needs DATA_READ.',
  fields: (t) => ({
    fqn: t.string({
      description: 'datastore.database.schema.table',
      select: fqnSelect,
      resolve: (table) => fqnOf(table, table.datastore.name),
    }),
    name: t.exposeString('name', { description: 'Its name in its schema.' }),
    schema: t.exposeString('schema', { description: 'The schema it lies in.' }),
    database: t.exposeString('database', { description: 'The database that the schema lies in.' }),
    kind: t.expose('kind', { type: TableKind, description: 'Whether its rows are kept or computed.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it holds, in words. Null when nobody said.',
    }),
    tags: t.exposeStringList('tags', { description: 'Words to find it by.' }),
  }),
});

builder.prismaObjectFields('CatalogTable', (t) => ({
  entity: t.field({
    type: EntityKind,
    nullable: true,
    description: 'What its rows stand for. Null when they are mapped to nothing.',
    select: { mappings: { select: { kind: true }, orderBy: { kind: 'asc' }, take: 1 } },
    resolve: ({ mappings }) => mappings[0]?.kind ?? null,
  }),
  columns: t.field({
    type: [Column],
    description: 'Its columns, in order.',
    select: { ...fqnSelect, columns: true },
    resolve: (table) => {
      const tableFqn = fqnOf(table, table.datastore.name);
      // Written by the catalog alone, in this shape.
      const columns = table.columns as unknown as SaidColumn[];
      return columns.map((column) => ({ ...column, tableFqn }));
    },
  }),
  rowCount: t.expose('rowCount', {
    type: 'BigInt',
    nullable: true,
    description:
      'How many rows it had when the catalog last looked. Null where the engine does not know without reading.',
  }),
  datastore: t.relation('datastore', { description: 'Where it lies.' }),
  freshness: t.field({
    type: Freshness,
    description:
      'When it was last written by a task. A view is as fresh as the oldest of the tables behind it.',
    select: { id: true, kind: true, syncedAt: true, taskId: true },
    resolve: ({ id, kind, syncedAt, taskId }, _args, context, info) =>
      kind === 'VIEW' ? writeOf(context, info, id) : { syncedAt, taskId, tableId: id },
  }),
}));

builder.prismaObjectField('CatalogTable', 'sample', (t) =>
  t.field({
    type: RowSet,
    nullable: true,
    description:
      'Some of its rows, read from the datastore right now. Null when that failed; errors says why.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 100. Null for 10.' }),
    },
    complexity: (args) => ({
      field: 50,
      multiplier: Math.min(Math.max(args.first ?? sampleRowsDefault, 1), sampleRowsMax),
    }),
    select: { ...fqnSelect, projectId: true },
    resolve: async (table, { first }, context) => {
      const rowsMax = first ?? sampleRowsDefault;
      if (rowsMax < 1 || rowsMax > sampleRowsMax) {
        throw new AppError(
          'BAD_USER_INPUT',
          `first: ${first} is no sample's size: 1 to ${sampleRowsMax} are allowed.`,
          { fix: 'Give one of these; a sample has no further pages.' },
        );
      }
      try {
        const { signal, meter, requestId } = context;
        const answer = await sampleTable(context.app.catalog, table, {
          rowsMax,
          signal,
          meter,
          requestId,
        });
        return { ...answer, rows: answer.rows.map((row) => row.map(jsonOfValue)) };
      } catch (error) {
        throw asExpected(error);
      }
    },
  }),
);

const searchDescription =
  'Only those whose fqn, description, tags or names of columns hold this, in any case. Null for all.';

const TableConnection = connectionOf(Table, 'Table', 'tables');
const tableOrder = createdOrder('table', 'oldest first');

builder.prismaObjectField('Datastore', 'tables', (t) =>
  t.field({
    type: TableConnection,
    description: 'Its tables, in the order the catalog came to know them. Needs DATA_READ.',
    args: {
      search: t.arg.string({ description: searchDescription }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    select: { id: true },
    resolve: (datastore, args, context, info) =>
      listNested({
        context,
        info,
        args,
        type: 'Table',
        order: tableOrder,
        parentId: datastore.id,
        table: 'catalog_table',
        parentColumn: 'datastore_id',
        ...(args.search && { where: tableHolds(args.search) }),
      }),
  }),
);

builder.queryFields((t) => ({
  tables: t.field({
    type: TableConnection,
    description:
      'The tables of all datastores of the project, in the order the catalog came to know them. Needs DATA_READ.',
    args: {
      search: t.arg.string({ description: searchDescription }),
      entity: t.arg({ type: EntityKind, description: 'Only those that are mapped to this. Null for all.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => {
      const options = { context, info, args, type: 'Table', order: tableOrder } as const;
      const conditions = [
        ...(args.search ? [tableHolds(args.search)] : []),
        ...(args.entity == null ? [] : [isMappedTo(args.entity)]),
      ];
      if (conditions.length === 0) return listRows(options);
      return listNested({
        ...options,
        parentId: viewerOf(context).projectId,
        table: 'catalog_table',
        parentColumn: 'project_id',
        where: Prisma.join(conditions, ' AND '),
      });
    },
  }),
  table: t.field({
    type: Table,
    nullable: true,
    description:
      'One table, by id or by fqn; by both it must be the same. Null when the project has none such. Needs DATA_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by fqn.' }),
      fqn: t.arg.string({ description: 'datastore.database.schema.table, exactly. Null to find it by id.' }),
    },
    resolve: (_root, { id, fqn }, context, info) => {
      if (id == null && fqn == null) {
        throw new AppError('BAD_USER_INPUT', 'Neither id nor fqn is given.', { fix: 'Give one of them.' });
      }
      const where = {
        ...(id != null && { id: uuidOf('Table', id) }),
        ...(fqn != null && whereFqn(fqn)),
      };
      return findRow<typeof Table.$inferType>(context, info, 'Table', where);
    },
  }),
}));

const ColumnWordsInput = builder.inputType('ColumnWordsInput', {
  description: 'What people say of a column.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The column, by its name in the table.' }),
    description: t.string({
      description: 'What it holds, in words. Null or left out, what was said is taken away.',
    }),
  }),
});

const UpdateTableInput = builder.inputType('UpdateTableInput', {
  description: 'What people say of a table.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The table.' }),
    description: t.string({
      description: 'What it holds, in words. Null takes the words away; left out, they stay.',
    }),
    tags: t.stringList({ description: 'All its tags from now on. Null or left out, they stay.' }),
    columns: t.field({
      type: [ColumnWordsInput],
      description:
        'What its columns hold. Those that are not named keep their words; null or left out, all do.',
    }),
  }),
});

const UpdateTablePayload = payloadType<{ id: string }>(
  'UpdateTablePayload',
  'What updateTable answers.',
  (t) => ({
    table: writtenThing(
      t,
      Table,
      'Table',
      'The table as it is now. Null when there are userErrors. Needs DATA_READ.',
    ),
  }),
);

builder.mutationField('updateTable', (t) =>
  t.field({
    type: UpdateTablePayload,
    description: 'Says what a table holds. Does not touch the table itself. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: UpdateTableInput, required: true, description: 'The table, and what to say.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateTable(context.app.catalog, viewerOf(context), { ...input, id: uuidOfInput('Table', input.id) }),
      ),
  }),
);
