import { builder } from './builder.ts';

/** What a warehouse answers, in JSON's terms. */
export interface RowSetShape {
  columns: readonly { name: string; dataType: string }[];
  rows: unknown[][];
  truncated: boolean;
}

export const RowSetColumn = builder.objectRef<{ name: string; dataType: string }>('RowSetColumn').implement({
  description: 'A column of an answer. Needs DATA_READ.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    dataType: t.exposeString('dataType', { description: "The engine's own name of its type." }),
  }),
});

export const RowSet = builder.objectRef<RowSetShape>('RowSet').implement({
  description: 'Rows that a warehouse answered. Needs DATA_READ.',
  fields: (t) => ({
    columns: t.field({
      type: [RowSetColumn],
      description: 'The columns, in order.',
      resolve: ({ columns }) => [...columns],
    }),
    rows: t.field({
      type: t.listRef(t.listRef('JSON', { nullable: true })),
      description:
        'The rows; in each the values in the order of columns. Whole numbers beyond 2^53 and decimals are strings, so that they stay exact; so are times (ISO 8601, UTC) and bytes (base64). NaN and the infinities are their names.',
      complexity: 1,
      resolve: ({ rows }) => rows,
    }),
    truncated: t.exposeBoolean('truncated', { description: 'Whether there are more rows than these.' }),
  }),
});
