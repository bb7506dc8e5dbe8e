import {
  createSourceEventStream,
  type DocumentNode,
  execute,
  type ExecutionResult,
  type FormattedExecutionResult,
  Kind,
  visit,
} from 'graphql';
import type { Log } from '#base/log.ts';
import type { Context } from '#graphql/context.ts';
import type { PreparedOperation } from './operations.ts';
import { presentError } from './present-error.ts';

/** The answer to one event of a subscription, as everyone who shares it gets it. */
export interface Delivery {
  result: FormattedExecutionResult;
  /** The result as JSON, written once however many it goes to. */
  text(): string;
}

/** The answers of one subscription, pulled one by one. */
export interface Subscription extends AsyncGenerator<Delivery, undefined> {
  /** Ends it at once, after a last answer that says why. */
  fail(error: unknown): void;
}

export type Follow = (
  prepared: PreparedOperation,
  context: Context,
  leave: AbortController,
) => Promise<Subscription | { errors: readonly unknown[] }>;

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
    const base = { ...prepared, variableValues: prepared.variables };
    const source = await createSourceEventStream({ ...base, contextValue: context });
    if (!(Symbol.asyncIterator in source)) return { errors: source.errors ?? [] };
    const key = keyOf(prepared, context);

    async function answer(event: unknown): Promise<Delivery> {
      const contextValue = { ...context, signal: stopped, startedAt: performance.now() };
      const result = await execute({ ...base, rootValue: event, contextValue });
      return delivery(result, { requestId: context.requestId, log });
    }

    function answerOnce(event: unknown): Promise<Delivery> {
      if (typeof event !== 'object' || event === null) return answer(event);
      const answers = shared.get(event) ?? new Map<string, Promise<Delivery>>();
      shared.set(event, answers);
      const running = answers.get(key) ?? answer(event);
      answers.set(key, running);
      return running;
    }

    const failed = (error: unknown) =>
      delivery({ errors: [error] } as unknown as ExecutionResult, { requestId: context.requestId, log });
    return pull(source[Symbol.asyncIterator](), answerOnce, failed, leave);
  };
}

/** Formats what graphql gave for one event or operation. */
export function delivery(raw: ExecutionResult, about: { requestId: string; log: Log }): Delivery {
  const { errors, ...rest } = raw;
  const result: FormattedExecutionResult = {
    ...(errors && { errors: errors.map((error) => presentError(error, about).toJSON()) }),
    ...rest,
  };
  let text: string | undefined;
  return { result, text: () => (text ??= JSON.stringify(result)) };
}

/**
 * Pulls an event only when its answer is asked for, so that a client that does not read is not served ahead. Ending it
 * does not wait for the source: an async generator in the middle of an await cannot be returned from.
 */
function pull(
  source: AsyncIterator<unknown>,
  answer: (event: unknown) => Promise<Delivery>,
  failed: (error: unknown) => Delivery,
  leave: AbortController,
): Subscription {
  const done = { done: true, value: undefined } as const;
  let ended = false;
  let last: Delivery | undefined;
  let release: (() => void) | undefined;

  function end(): void {
    if (ended) return;
    ended = true;
    leave.abort();
    source.return?.().catch(() => {
      // The source was ended from outside; how it went down no longer matters to anyone.
    });
    release?.();
  }

  function ending(): IteratorResult<Delivery, undefined> {
    if (!last) return done;
    const value = last;
    last = undefined;
    return { done: false, value };
  }

  async function step(): Promise<IteratorResult<Delivery, undefined>> {
    try {
      const event = await source.next();
      if (ended) return ending();
      if (!event.done) return { done: false, value: await answer(event.value) };
    } catch (error) {
      if (!ended) last = failed(error);
    }
    end();
    return ending();
  }

  leave.signal.addEventListener('abort', end, { once: true });
  if (leave.signal.aborted) end();
  return {
    next() {
      if (ended) return Promise.resolve(ending());
      return new Promise((resolve, reject) => {
        release = () => resolve(ending());
        step().then(resolve, reject);
      });
    },
    return() {
      end();
      return Promise.resolve(done);
    },
    throw(error) {
      end();
      return Promise.reject(error);
    },
    fail(error) {
      if (!ended) last = failed(error);
      end();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]() {
      end();
      return Promise.resolve();
    },
  };
}

/** Names what the answer to an event depends on beside the event: the document, the variables, the viewer's rights. */
function sharingKeys() {
  const known = new WeakMap<DocumentNode, { id: number; beginOnly: Set<string> }>();
  let documents = 0;
  return (prepared: PreparedOperation, { viewer }: Context): string => {
    const { document, operationName, variables } = prepared;
    const about = known.get(document) ?? { id: ++documents, beginOnly: beginOnly(document) };
    known.set(document, about);
    const rights = viewer && [viewer.accountId, viewer.projectId, viewer.role, [...viewer.scopes].sort()];
    const telling = Object.entries(variables).filter(([name]) => !about.beginOnly.has(name));
    return JSON.stringify([about.id, operationName, rights, telling]);
  };
}

/**
 * Variables that say only where a subscription begins: used as the argument `after` of a root field and nowhere else.
 * Followers who resumed at different lines share what comes once they have caught up.
 */
function beginOnly(document: DocumentNode): Set<string> {
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: (node) => void uses.set(node.name.value, (uses.get(node.name.value) ?? 0) + 1),
  });
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const field of definition.selectionSet.selections) {
      if (field.kind !== Kind.FIELD) continue;
      const after = field.arguments?.find((argument) => argument.name.value === 'after')?.value;
      if (after?.kind === Kind.VARIABLE && uses.get(after.name.value) === 1) names.add(after.name.value);
    }
  }
  return names;
}
