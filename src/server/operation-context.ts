import type { GraphQLSchema } from 'graphql';
import type { Context } from '#graphql/context.ts';

/** The header, and the connection parameter of a WebSocket, that asks for extensions.warehouse with "1". */
export const meterName = 'sluice-warehouse-stats';

/** The context of resolvers, with what only the server itself looks at. */
export interface OperationContext extends Context {
  /** What the viewer's project is served: Sluice's own schema, and its endpoints. */
  schema: GraphQLSchema;
  /** Aborts `signal`. With an AppError as its reason, that is the last answer of a subscription. */
  leave: AbortController;
  /** The client wants to be told what the operation cost the warehouses. */
  showsMeter: boolean;
  /** Called before a subscription begins. Fails with RATE_LIMITED when too many are open. */
  admitFollower(): void;
}
