import {
  type DocumentNode,
  type FieldNode,
  getNamedType,
  getNullableType,
  type GraphQLNamedType,
  type GraphQLScalarType,
  type GraphQLSchema,
  isNonNullType,
  isObjectType,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';

/** A row of an endpoint, by its columns. */
export type Row = readonly unknown[];

/** A field that is selected of each row. */
export interface Selected {
  /** Its name in the answer. */
  key: string;
  node: FieldNode;
  isNullable: boolean;
  /** Fails as a field does. */
  valueOf: (row: Row) => unknown;
}

/** By the list's field in the document that is made. */
const selections = new WeakMap<FieldNode, readonly Selected[]>();

/** What is selected of each row by the fields of one list in a document that leafDocument made. */
export function selectedBy([node, ...others]: readonly FieldNode[]): readonly Selected[] {
  const first = selections.get(node!)!;
  if (others.length === 0) return first;
  const byKey = new Map(first.map((field) => [field.key, field]));
  for (const field of others.flatMap((other) => selections.get(other)!)) {
    if (!byKey.has(field.key)) byKey.set(field.key, field);
  }
  return [...byKey.values()];
}

/**
 * The document without the selections of its lists of rows, which are known by selectedBy; null where it has none, and for one with
 * fragments, several operations, or other roots than `data`. It is valid.
 */
export function leafDocument(schema: GraphQLSchema, document: DocumentNode): DocumentNode | null {
  const [operation, ...others] = document.definitions;
  if (others.length > 0 || operation?.kind !== Kind.OPERATION_DEFINITION) return null;
  if (operation.operation !== OperationTypeNode.QUERY) return null;
  const query = schema.getQueryType()!;
  let lists = 0;
  const selectionSet = eachField(operation.selectionSet, query, (root, data) => {
    if (root.name.value !== 'data') return null;
    return below(root, data, (endpoint, connection) =>
      below(endpoint, connection, (field, row) => {
        if (field.name.value !== 'nodes') return field;
        lists += 1;
        return leafOf(field, row);
      }),
    );
  });
  if (!selectionSet || lists === 0) return null;
  return { ...document, definitions: [{ ...operation, selectionSet }] };
}

type Rewrite = (field: FieldNode, type: GraphQLNamedType | undefined) => FieldNode | null;

function below(field: FieldNode, type: GraphQLNamedType | undefined, by: Rewrite): FieldNode | null {
  if (!field.selectionSet) return field;
  const selectionSet = eachField(field.selectionSet, type, by);
  return selectionSet && { ...field, selectionSet };
}

/** Null as soon as one of the selections is no field, or cannot be written anew. */
function eachField(
  set: SelectionSetNode,
  type: GraphQLNamedType | undefined,
  by: Rewrite,
): SelectionSetNode | null {
  const selections: FieldNode[] = [];
  for (const selection of set.selections) {
    if (selection.kind !== Kind.FIELD) return null;
    const field = isObjectType(type) ? type.getFields()[selection.name.value] : undefined;
    const made = by(selection, field && getNamedType(field.type));
    if (!made) return null;
    selections.push(made);
  }
  return { ...set, selections };
}

/** The field of a list without its selection, which is known by it from now on. */
function leafOf(field: FieldNode, row: GraphQLNamedType | undefined): FieldNode | null {
  const selected: Selected[] = [];
  for (const node of field.selectionSet!.selections) {
    if (node.kind !== Kind.FIELD || (node.directives?.length ?? 0) > 0) return null;
    const key = (node.alias ?? node.name).value;
    // Assigned, it would not be a key.
    if (key === '__proto__') return null;
    const found = row && selectedField(row, node);
    if (!found) return null;
    if (!selected.some((each) => each.key === key)) selected.push({ key, node, ...found });
  }
  const { selectionSet: _, ...leaf } = field;
  selections.set(leaf, selected);
  return leaf;
}

function selectedField(
  type: GraphQLNamedType,
  node: FieldNode,
): Pick<Selected, 'isNullable' | 'valueOf'> | null {
  const name = node.name.value;
  if (name === '__typename') return { isNullable: false, valueOf: () => type.name };
  const field = isObjectType(type) ? type.getFields()[name] : undefined;
  if (!field?.resolve) return null;
  const { resolve } = field;
  const isNullable = !isNonNullType(field.type);
  const leaf = getNullableType(field.type) as GraphQLScalarType;
  return {
    isNullable,
    valueOf: (row) => {
      const value: unknown = resolve(row, {}, undefined, undefined as never);
      if (value != null) return serialized(leaf, value);
      if (isNullable) return null;
      throw new Error(`Cannot return null for non-nullable field ${type.name}.${name}.`);
    },
  };
}

function serialized(leaf: GraphQLScalarType, value: unknown): unknown {
  const given: unknown = leaf.serialize(value);
  if (given != null) return given;
  throw new Error(`Expected ${leaf.name} to be written, and not as nothing.`);
}
