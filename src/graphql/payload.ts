import type { FieldMap, ObjectRef } from '@pothos/core';
import type { Problem } from '#base/errors.ts';
import { builder } from './builder.ts';
import { problemsOf } from './error-codes.ts';
import { globalId, uuidOfInput } from './global-id.ts';
import { type NodeType, readRow } from './rows.ts';
import { UserError } from './user-error.ts';

type Types = typeof builder.$inferSchemaTypes;

/** What a mutation's resolver returns: what it made, and what is wrong with the input. */
export interface Payload<Value> {
  value: Value | null;
  problems: readonly Problem[];
}

/** What a test of a source, a destination or a datastore comes to. */
export interface CheckAnswer {
  ok: boolean;
  message: string;
}

type PayloadFields<Value> = PothosSchemaTypes.ObjectFieldBuilder<Types, Payload<Value>>;

/** Runs a write. What is wrong with the input becomes the payload's problems; any other failure stays a failure. */
export async function attempt<Value>(write: () => Promise<Value>): Promise<Payload<Value>> {
  try {
    return { value: await write(), problems: [] };
  } catch (error) {
    const problems = problemsOf(error);
    if (problems === null) throw error;
    return { value: null, problems };
  }
}

/** A payload type: the given fields and userErrors. */
export function payloadType<Value>(
  name: string,
  description: string,
  fields: (t: PayloadFields<Value>) => FieldMap = () => ({}),
): ObjectRef<Types, Payload<Value>> {
  return builder.objectRef<Payload<Value>>(name).implement({
    description,
    fields: (t) => ({
      ...fields(t),
      userErrors: t.field({
        type: [UserError],
        description: 'What is wrong with the input, each with its place. Empty when all went well.',
        complexity: { field: 1, multiplier: 1 },
        resolve: ({ problems }) => [...problems],
      }),
    }),
  });
}

/** The field of the thing that was written, read again as the client selects it. */
export function writtenThing<Row extends object>(
  t: PayloadFields<{ id: string }>,
  type: ObjectRef<Types, Row>,
  typename: NodeType,
  description: string,
) {
  return t.field({
    type,
    nullable: true,
    description,
    resolve: ({ value }, _args, context, info) => readRow<Row>(context, info, typename, value?.id) as never,
  });
}

/** The field that names what was deleted. */
export function deletedId(t: PayloadFields<{ id: string }>, typename: NodeType) {
  return t.id({
    nullable: true,
    description: 'The id of what is gone. Null when nothing was deleted.',
    resolve: ({ value }) => (value === null ? null : globalId(typename, value.id)),
  });
}

/** The payload of a test: whether it went well, and what was reached or went wrong. */
export function checkPayload(name: string, description: string) {
  return payloadType<CheckAnswer>(name, description, (t) => ({
    ok: t.boolean({
      description: 'Whether the other system answered as it should.',
      resolve: ({ value }) => value?.ok ?? false,
    }),
    message: t.string({
      description: 'What was reached, or what went wrong.',
      resolve: ({ value, problems }) =>
        value?.message ?? problems.map((problem) => problem.message).join(' '),
    }),
  }));
}

/** Runs a test; the problems it found are the payload's. */
export async function attemptCheck(
  check: () => Promise<CheckAnswer & { problems?: readonly Problem[] }>,
): Promise<Payload<CheckAnswer>> {
  const { value, problems } = await attempt(check);
  return { value, problems: value?.problems ?? problems };
}

/** The input of a test with its global id read. Fails as uuidOfInput does. */
export function savedOrNew<Input extends { id?: string | null }>(typename: NodeType, input: Input) {
  return { ...input, id: input.id == null ? null : uuidOfInput(typename, input.id) };
}
