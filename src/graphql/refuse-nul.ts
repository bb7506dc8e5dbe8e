import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql';
import { AppError } from '#base/errors.ts';
import type { Context } from './context.ts';

/**
 * Refuses the character U+0000 in every argument, with BAD_USER_INPUT: PostgreSQL holds it neither in text nor in JSON,
 * and would fail the statement in a way that looks like a fault of ours.
 */
export function refuseNul(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      if (field.args.length === 0) continue;
      const { resolve = defaultFieldResolver, subscribe } = field;
      field.resolve = (source, args, context: Context, info) => {
        refuseNulIn(args);
        return resolve(source, args, context, info);
      };
      if (subscribe === undefined) continue;
      field.subscribe = (source, args, context: Context, info) => {
        refuseNulIn(args);
        return subscribe(source, args, context, info);
      };
    }
  }
  return schema;
}

/** Fails with BAD_USER_INPUT where arguments hold the character. */
export function refuseNulIn(args: object): void {
  check(args, []);
}

function check(value: unknown, path: readonly string[]): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw refusal(path);
    return;
  }
  if (typeof value !== 'object' || value === null || value instanceof Date) return;
  for (const [key, each] of Object.entries(value)) {
    if (key.includes('\0')) throw refusal(path);
    check(each, [...path, key]);
  }
}

function refusal(path: readonly string[]): AppError {
  const place = path.join('.');
  return new AppError('BAD_USER_INPUT', `${place} holds the character U+0000, which no text here can.`, {
    fix: 'Leave the character out.',
  });
}
