import {
  defaultFieldResolver,
  getNamedType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isObjectType,
} from 'graphql';
import { demand, type Need, needOf, needOfType } from '#accounts/permissions.ts';
import type { Context } from './context.ts';

/** Fields of an interface's type: node.ts asks for the permission of each type it finds, and a problem is anybody's. */
const abstractFields = new Set(['Query.node', 'Query.nodes']);
const openInterfaces = new Set(['UserError']);

/** Who is asking may ask who that is: a program is no member, which is an answer and no refusal. */
const ownFields = new Set(['Viewer.member']);

/**
 * Holds every field of the schema to accounts/permissions.ts: a field is resolved, and a subscription opened, only for
 * viewers who have what the field needs and what the type it returns needs. Since every way to an object leads through
 * a field that returns its type, the object's own fields need no check of their own. Fails when a root field or an
 * object type has no entry there, and when a field returns an interface that nothing here accounts for.
 */
export function enforcePermissions(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) guard(schema, type, field);
  }
  return schema;
}

/** What it takes to have a field resolved: its own need and its type's, without what reaching the parent has taken. */
export function needsOf(
  schema: GraphQLSchema,
  parent: GraphQLObjectType,
  field: Pick<GraphQLField<unknown, unknown>, 'name' | 'type'>,
): Need[] {
  const isRoot = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(
    parent,
  );
  const returned = getNamedType(field.type);
  const place = `${parent.name}.${field.name}`;
  if (isAbstractType(returned) && !abstractFields.has(place) && !openInterfaces.has(returned.name)) {
    throw new Error(
      `${place} returns the interface ${returned.name}: say in graphql/enforce.ts who asks for its types' permissions.`,
    );
  }
  const needs = new Set<Need>([needOf(parent.name, field.name)]);
  if (isObjectType(returned)) needs.add(needOfType(returned.name));
  if (!isRoot) needs.delete(needOfType(parent.name));
  needs.delete('ANYONE');
  return [...needs];
}

function guard(
  schema: GraphQLSchema,
  parent: GraphQLObjectType,
  field: GraphQLField<unknown, Context>,
): void {
  const needs = needsOf(schema, parent, field);
  if (needs.length === 0) return;
  const { resolve = defaultFieldResolver, subscribe } = field;
  const demandAll = (context: Context) => {
    for (const need of needs) demand(context.viewer, need);
  };
  if (needOf(parent.name, field.name) === 'ANYONE' || ownFields.has(`${parent.name}.${field.name}`)) {
    // Anybody may ask; who has something to be shown must be let see it. So nobody's viewer is null, and no failure.
    field.resolve = async (source, args, context, info) => {
      const value: unknown = await resolve(source, args, context, info);
      if (value != null) demandAll(context);
      return value;
    };
    return;
  }
  field.resolve = (source, args, context, info) => {
    demandAll(context);
    return resolve(source, args, context, info);
  };
  if (subscribe === undefined) return;
  field.subscribe = (source, args, context, info) => {
    demandAll(context);
    return subscribe(source, args, context, info);
  };
}
