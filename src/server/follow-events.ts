import { createSourceEventStream, execute, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Log } from '#base/log.ts';
import { type Delivery, delivery } from './delivery.ts';
import { EventStream } from './event-stream.ts';
import type { OperationContext } from './operation-context.ts';
import { sharingKeys } from './sharing-key.ts';

export type Follow = (
  args: ExecutionArgs,
  context: OperationContext,
) => Promise<EventStream | ExecutionResult>;

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

  return async (args, context) => {
    const about = { requestId: context.requestId, log };
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    const key = keyOf(args, context);

    async function answer(event: unknown): Promise<Delivery> {
      const contextValue = { ...context, signal: stopped, startedAt: performance.now() };
      return delivery(await execute({ ...args, rootValue: event, contextValue }), about);
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
    return new EventStream(source[Symbol.asyncIterator](), { answer: answerOnce, failed }, context.leave);
  };
}
