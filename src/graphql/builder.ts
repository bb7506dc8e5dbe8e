import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type { Json } from '#connectors/contract.ts';
import type PrismaTypes from '#generated/pothos.ts';
import { getDatamodel } from '#generated/pothos.ts';
import type { Context } from './context.ts';
import { globalId } from './global-id.ts';

interface SchemaShape {
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Connection: { totalCount: () => Promise<number> };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    Date: { Input: string; Output: string };
    JSON: { Input: Json; Output: unknown };
    BigInt: { Input: bigint; Output: bigint | number };
  };
}

/** The one builder: every file of this folder adds its types and fields to it, and schema.ts builds them. */
export const builder = new SchemaBuilder<SchemaShape>({
  plugins: [RelayPlugin, PrismaPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  prisma: {
    client: (context) => context.app.store.db,
    dmmf: getDatamodel(),
    exposeDescriptions: false,
    onUnusedQuery: null,
  },
  relay: {
    // node.ts has its own: scoped to the viewer's project, one statement a type.
    encodeGlobalID: (typename, id) => globalId(typename, String(id)),
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    cursorType: 'String',
    nodesOnConnection: {
      description: 'The things of this page, in order: the edges without their cursors.',
      // The edges count them already.
      complexity: { field: 0, multiplier: 1 },
    },
    nodeTypeOptions: { description: 'Anything that can be read again by its id alone, with the query node.' },
    idFieldOptions: { description: 'The global id. Opaque; the same for as long as the thing exists.' },
    pageInfoTypeOptions: { description: 'Where a page stands in its list. Free to read.' },
    pageInfoFieldOptions: { description: 'Whether there is more, and the cursors to ask for it.' },
    hasNextPageFieldOptions: { description: 'True when something follows the last edge of this page.' },
    hasPreviousPageFieldOptions: { description: 'True when something precedes the first edge of this page.' },
    startCursorFieldOptions: {
      description: 'The cursor of the first edge, for before. Null when the page is empty.',
    },
    endCursorFieldOptions: {
      description: 'The cursor of the last edge, for after. Null when the page is empty.',
    },
    edgesFieldOptions: {
      description: 'The page, in order, each thing with its cursor.',
      nullable: { list: false, items: false },
      // The connection's field has multiplied by the page's size already.
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: { description: 'The thing itself.', nullable: false },
    firstArgOptions: {
      description:
        'How many from the start, or after the cursor: 0 to 100, 25 when neither first nor last is given.',
    },
    afterArgOptions: { description: 'Only what follows the thing with this cursor.' },
    lastArgOptions: {
      description: 'How many from the end, or before the cursor: 0 to 100. Not together with first.',
    },
    beforeArgOptions: { description: 'Only what precedes the thing with this cursor.' },
    cursorFieldOptions: {
      description: 'Resumes the list right after (after) or right before (before) this thing.',
    },
  },
  complexity: {
    // The limit is held where operations are executed, so that it covers subscriptions too; here only the costs are declared.
    disabled: true,
    defaultComplexity: 1,
    defaultListMultiplier: 10,
  },
});

builder.queryType({ description: 'Everything that can be read. Each field says what it takes to read it.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation takes one input and answers with the thing and its userErrors; nothing is changed when userErrors is not empty.',
});
builder.subscriptionType({
  description:
    'What can be watched while it happens, over WebSocket (graphql-transport-ws) and server-sent events.',
});
