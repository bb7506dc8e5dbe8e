import type { Problem, ProblemCode } from '#base/errors.ts';
import { builder } from './builder.ts';

const meanings: Record<ProblemCode, string> = {
  INVALID: 'The value is not one of those allowed; the message says which are.',
  REQUIRED: 'Something that must be given is missing.',
  NOT_UNIQUE: 'Another thing of the project has it already.',
  NOT_FOUND: 'There is no such thing in the project.',
  CONFLICT: 'The thing has changed since it was read: its revision is not expectedRevision.',
  IN_USE: 'Other things depend on it; the message names them.',
  NOT_ALLOWED: 'This may not be done, or not by whoever asks; the message says which.',
  CONNECTION_FAILED: 'The other system could not be reached, or did not let us in.',
  UNSUPPORTED: 'The connector or engine cannot do this.',
  ALREADY_RUNNING: 'The job or transformation has a live task, which the answer gives.',
  NOT_CANCELLABLE: 'The task has ended.',
  IDEMPOTENCY_KEY_REUSED: 'The key was used before, with another input.',
};

const UserErrorCode = builder.enumType('UserErrorCode', {
  description: 'What kind of thing is wrong with an input.',
  values: Object.fromEntries(
    Object.entries(meanings).map(([code, description]) => [code, { description }]),
  ) as Record<ProblemCode, { description: string }>,
});

export const UserError = builder.interfaceRef<Problem>('UserError').implement({
  description: 'One thing that is wrong with the input of a mutation. Read by whoever ran the mutation.',
  fields: (t) => ({
    code: t.field({
      type: UserErrorCode,
      description: 'What kind of thing is wrong, for programs.',
      resolve: (problem) => problem.code,
    }),
    message: t.exposeString('message', {
      description: 'What happened with the value and what is allowed, for people.',
    }),
    path: t.stringList({
      description: 'Where in the input, such as ["config", "port"]. Empty when it is about the whole.',
      resolve: (problem) => [...problem.path],
    }),
    fix: t.string({
      nullable: true,
      description: 'What the reader can do next. Null when the message says it all.',
      resolve: (problem) => problem.fix,
    }),
  }),
});

builder.objectRef<Problem>('InputUserError').implement({
  description: 'A problem with an input, as every mutation reports it.',
  interfaces: [UserError],
  isTypeOf: () => true,
});
