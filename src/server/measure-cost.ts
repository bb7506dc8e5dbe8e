import {
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Context } from '#graphql/context.ts';

/** What a field declares in `extensions.complexity`: its own cost, and how often its children count. */
type Declared = number | { field?: number; multiplier?: number };

interface Operation {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: Record<string, FragmentDefinitionNode>;
  variables: Record<string, unknown>;
  context: Context;
}

/**
 * The number of fields that the answer to a valid operation may hold: each field costs what it declares (1 without),
 * its children times its page size, variables counted. Introspection is free: its size is the schema's.
 */
export function costOf(asked: Operation): number {
  // A fragment costs the same on one type wherever it is spread, so that nesting them does not multiply the work.
  const known = new Map<SelectionSetNode, Map<GraphQLNamedType, number>>();

  function ofSet(set: SelectionSetNode, type: GraphQLNamedType): number {
    const before = known.get(set)?.get(type);
    if (before !== undefined) return before;
    let cost = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        cost += ofField(selection, type);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        const named = selection.typeCondition && asked.schema.getType(selection.typeCondition.name.value);
        cost += ofSet(selection.selectionSet, named ?? type);
      } else {
        const fragment = asked.fragments[selection.name.value];
        const named = fragment && asked.schema.getType(fragment.typeCondition.name.value);
        if (fragment && named) cost += ofSet(fragment.selectionSet, named);
      }
    }
    if (!known.has(set)) known.set(set, new Map());
    known.get(set)?.set(type, cost);
    return cost;
  }

  function ofField(node: FieldNode, type: GraphQLNamedType): number {
    if (node.name.value.startsWith('__')) return 0;
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined;
    if (!field) return 0;
    const { own, times } = weigh(field, getArgumentValues(field, node, asked.variables), asked.context);
    return own + (node.selectionSet ? times * ofSet(node.selectionSet, getNamedType(field.type)) : 0);
  }

  const root = asked.schema.getRootType(asked.operation.operation);
  return root ? ofSet(asked.operation.selectionSet, root) : 0;
}

function weigh(
  field: GraphQLField<unknown, unknown>,
  args: Record<string, unknown>,
  context: Context,
): { own: number; times: number } {
  const option = field.extensions['complexity'] as Declared | ((...given: unknown[]) => Declared) | undefined;
  const declared = typeof option === 'function' ? option(args, context, field) : option;
  if (typeof declared === 'number') return { own: declared, times: 1 };
  if (declared) return { own: declared.field ?? 1, times: Math.max(declared.multiplier ?? 1, 0) };
  const page = args['first'] ?? args['last'];
  return { own: 1, times: typeof page === 'number' ? Math.max(page, 0) : 1 };
}
