import type { ObjectRef } from '@pothos/core';
import { builder } from './builder.ts';
import { type PageArgs, pageSizeOf } from './page.ts';

/** The connection and edge types of one node type: XConnection and XEdge, with nodes and totalCount. */
export function connectionOf<Row extends object>(
  type: ObjectRef<typeof builder.$inferSchemaTypes, Row>,
  name: string,
  things: string,
) {
  return builder.connectionObject(
    {
      type,
      name: `${name}Connection`,
      description: `A page of ${things}.`,
      fields: (t) => ({
        totalCount: t.int({
          nullable: true,
          description:
            'How many the whole list has, whatever the page. Counted only when asked for. Null when counting failed; errors says why.',
          resolve: (page) => page.totalCount(),
        }),
      }),
    },
    { name: `${name}Edge`, description: `One of these ${things}, and its place in the list.` },
  );
}

/** The cost of a connection's field: everything below it counts once per row that the page may have. */
export function pageCost(args: PageArgs): { field: number; multiplier: number } {
  return { field: 1, multiplier: pageSizeOf(args) };
}
