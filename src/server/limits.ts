/** Every bound that the server sets to whoever asks. docs/ lists these figures; a test may narrow them. */
export interface Limits {
  /** Lexical tokens of a document: bounds the work of parsing and validating it. */
  documentTokensMax: number;
  /** Levels of fields, fragments counted where they are spread. Introspection has its own bound below. */
  depthMax: number;
  introspectionDepthMax: number;
  /** Aliases, fields of the root, and directives, each counted wherever a fragment brings it in. */
  aliasesMax: number;
  rootFieldsMax: number;
  directivesMax: number;
  /** Fields that an answer may hold, lists counted by their page size. */
  costMax: number;
  /** Bytes of a request's body, and of one WebSocket message. */
  bodyBytesMax: number;
  /** Time for a request's headers, and for the whole of it. */
  headersMs: number;
  requestMs: number;
  /** Open WebSockets and event streams of this process. */
  followersMax: number;
  /** Operations that run at once on one WebSocket, unsent answers included. */
  operationsPerSocketMax: number;
  /** Unsent bytes after which nothing more is read from a WebSocket until it drains. */
  unsentBytesMax: number;
  /** How long a connection may take none of the bytes that wait for it. */
  stalledMs: number;
  /** Time from the opening of a WebSocket to its connection_init. */
  initMs: number;
  /** A WebSocket is pinged this often, and closed when it has not answered by the next ping. */
  keepAliveMs: number;
  /** How often the tokens behind open subscriptions are looked up again. */
  recheckMs: number;
  /** How long a stop waits for running requests. */
  stopMs: number;
}

/**
 * Chosen so that GraphiQL, relay and every page of 100 pass with room to spare: a page of 100 jobs with source,
 * destination and last task costs 1,600; the same with everything they have 16,600; 100 jobs with 25 tasks with 25 log
 * lines each would cost 65,000.
 */
export const limits: Limits = {
  documentTokensMax: 2_000,
  depthMax: 12,
  introspectionDepthMax: 18,
  aliasesMax: 30,
  rootFieldsMax: 20,
  directivesMax: 50,
  costMax: 20_000,
  bodyBytesMax: 1_000_000,
  headersMs: 10_000,
  requestMs: 30_000,
  followersMax: 5_000,
  operationsPerSocketMax: 100,
  unsentBytesMax: 1_000_000,
  stalledMs: 30_000,
  initMs: 5_000,
  keepAliveMs: 15_000,
  recheckMs: 3_000,
  stopMs: 5_000,
};
