import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { AppError } from '#base/errors.ts';
import type { Context } from '#graphql/context.ts';

/** What the tests of the server ask in place of Sluice's own schema: small, and in the tests' hands. */
export interface Scratch {
  schema: GraphQLSchema;
  /** How often the fields of an event were resolved. */
  resolved(): number;
  /** Sends one event to everyone who follows, as the very same object. */
  publish(event: object): void;
  followers(): number;
  /** Events that the subscription `flood`, which never runs dry, was asked for. */
  pulled(): number;
  /** Followers of `flood`. */
  flooding(): number;
  /** Lets the fields `slow` answer. */
  release(): void;
  /** Signals of the operations that ran `slow`. */
  signals: AbortSignal[];
  /** Contexts that events of `contexts` were resolved with. */
  contexts: Set<Context>;
}

export function scratchSchema(): Scratch {
  let resolved = 0;
  let pulled = 0;
  let flooding = 0;
  const feeds = new Set<Feed>();
  const gate = Promise.withResolvers<string>();
  const signals: AbortSignal[] = [];
  const contexts = new Set<Context>();
  const thing: GraphQLObjectType = new GraphQLObjectType({
    name: 'Thing',
    fields: () => ({
      id: { type: GraphQLID },
      name: { type: GraphQLString, resolve: () => 'a name' },
      things: {
        type: new GraphQLList(thing),
        args: { first: { type: GraphQLInt } },
        resolve: (_parent, { first }: { first?: number }) =>
          Array.from({ length: first ?? 1 }, () => ({ id: '1' })),
      },
      one: { type: thing, resolve: () => ({ id: '1' }) },
    }),
  });
  const event = new GraphQLObjectType({
    name: 'Event',
    fields: {
      seq: { type: GraphQLInt },
      text: {
        type: GraphQLString,
        resolve: ({ text }: { text: string }) => {
          resolved += 1;
          return text;
        },
      },
    },
  });
  const query = new GraphQLObjectType<unknown, Context>({
    name: 'Query',
    fields: {
      hello: {
        type: GraphQLString,
        args: { name: { type: GraphQLString } },
        resolve: (_p, a) => `hello ${a.name ?? ''}`,
      },
      whoami: {
        type: GraphQLString,
        resolve: (_p, _a, { viewer }) => viewer?.memberId ?? viewer?.apiKeyId ?? null,
      },
      things: {
        type: new GraphQLList(thing),
        args: { first: { type: GraphQLInt } },
        resolve: (_p, { first }) => Array.from({ length: first ?? 1 }, () => ({ id: '1' })),
      },
      one: { type: thing, resolve: () => ({ id: '1' }) },
      expected: {
        type: GraphQLString,
        resolve: () => {
          throw new AppError('NOT_FOUND', 'There is no such thing.', { fix: 'Look elsewhere.' });
        },
      },
      unexpected: {
        type: GraphQLString,
        resolve: () => {
          throw new Error('password=hunter2');
        },
      },
      slow: {
        type: GraphQLString,
        resolve: (_p, _a, { signal }) => {
          signals.push(signal);
          return gate.promise;
        },
      },
    },
  });
  const mutation = new GraphQLObjectType<unknown, Context>({
    name: 'Mutation',
    fields: {
      touch: { type: GraphQLBoolean, resolve: () => true },
      enter: {
        type: GraphQLBoolean,
        args: { token: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_p, { token }, context) => {
          context.setSessionCookie(token);
          return true;
        },
      },
    },
  });
  const subscription = new GraphQLObjectType<unknown, Context>({
    name: 'Subscription',
    fields: {
      events: {
        type: event,
        args: { after: { type: GraphQLString }, stream: { type: GraphQLString } },
        subscribe: (_p, _a, { signal }) => feedFor(feeds, signal),
        resolve: (value) => value,
      },
      count: {
        type: GraphQLInt,
        args: { to: { type: new GraphQLNonNull(GraphQLInt) } },
        async *subscribe(_p, { to }) {
          for (let at = 1; at <= to; at += 1) yield at;
        },
        resolve: (value) => value,
      },
      flood: {
        type: GraphQLString,
        async *subscribe(_p, _a, { signal }) {
          flooding += 1;
          try {
            while (!signal.aborted) {
              pulled += 1;
              yield 'x'.repeat(100_000);
            }
          } finally {
            flooding -= 1;
          }
        },
        resolve: (value) => value,
      },
      contexts: {
        type: GraphQLString,
        subscribe: (_p, _a, { signal }) => feedFor(feeds, signal),
        resolve: (_value, _a, context) => {
          contexts.add(context);
          return context.viewer?.memberId;
        },
      },
      unwritable: {
        // JSON knows no bigint.
        type: new GraphQLScalarType({ name: 'Big', serialize: () => 1n }),
        async *subscribe() {
          yield 1;
        },
        resolve: (value) => value,
      },
      broken: {
        type: GraphQLInt,
        // eslint-disable-next-line require-yield
        async *subscribe(): AsyncGenerator<number> {
          throw new Error('password=hunter2');
        },
      },
    },
  });
  return {
    schema: new GraphQLSchema({ query, mutation, subscription }),
    resolved: () => resolved,
    publish: (value) => feeds.forEach((feed) => feed.push(value)),
    followers: () => feeds.size,
    release: () => gate.resolve('done'),
    signals,
    contexts,
    pulled: () => pulled,
    flooding: () => flooding,
  };
}

interface Feed {
  push(value: object): void;
}

async function* feedFor(feeds: Set<Feed>, signal: AbortSignal): AsyncGenerator<object> {
  const waiting: object[] = [];
  let wake = () => {};
  const feed: Feed = {
    push(value) {
      waiting.push(value);
      wake();
    },
  };
  feeds.add(feed);
  signal.addEventListener('abort', () => wake());
  try {
    while (!signal.aborted) {
      const value = waiting.shift();
      if (value) yield value;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    feeds.delete(feed);
  }
}
