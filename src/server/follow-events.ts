import { createSourceEventStream, execute } from 'graphql';
import type { Log } from '#base/log.ts';
import type { Context } from '#graphql/context.ts';
import { type Delivery, delivery } from './delivery.ts';
import { EventStream } from './event-stream.ts';
import type { PreparedOperation } from './operations.ts';
import { sharingKeys } from './sharing-key.ts';

export type Follow = (
  prepared: PreparedOperation,
  context: Context,
  leave: AbortController,
) => Promise<EventStream | { errors: readonly unknown[] }>;

/**
 * Makes the one `subscribe` of every transport. An event that several subscriptions are given as the very same object
 * is executed once for those with equal document, variables and rights, and its answer is shared: 1,000 followers of a
 * log cost one execution a batch, not 1,000. Each execution has a context of its own, so that loaders never answer
 * from an earlier event, and nobody who leaves takes the execution away from the rest.
 *
 * graphql-jit stays out: it lets only fields that have a resolver return promises, and what it would speed up here
 * happens once for all followers.
 */
export function createFollow(log: Log, stopped: AbortSignal): Follow {
  const shared = new WeakMap<object, Map<string, Promise<Delivery>>>();
  const keyOf = sharingKeys();

  return async (prepared, context, leave) => {
    const about = { requestId: context.requestId, log };
    const operation = { ...prepared, variableValues: prepared.variables };
    const source = await createSourceEventStream({ ...operation, contextValue: context });
    if (!(Symbol.asyncIterator in source)) return { errors: source.errors ?? [] };
    const key = keyOf(prepared, context);

    async function answer(event: unknown): Promise<Delivery> {
      const contextValue = { ...context, signal: stopped, startedAt: performance.now() };
      return delivery(await execute({ ...operation, rootValue: event, contextValue }), about);
    }

    function answerOnce(event: unknown): Promise<Delivery> {
      if (typeof event !== 'object' || event === null) return answer(event);
      const answers = shared.get(event) ?? new Map<string, Promise<Delivery>>();
      shared.set(event, answers);
      const running = answers.get(key) ?? answer(event);
      answers.set(key, running);
      return running;
    }

    const failed = (error: unknown) => delivery({ errors: [error] }, about);
    return new EventStream(source[Symbol.asyncIterator](), { answer: answerOnce, failed }, leave);
  };
}
