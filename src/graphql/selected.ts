import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';

/**
 * The names of the fields that are selected below a field, at these paths; the field's own for the empty path. Fragments
 * are taken whatever their type, and fields whatever their directives: a name too many only reads too much.
 */
export function selectedFields(
  info: GraphQLResolveInfo,
  paths: readonly (readonly string[])[] = [[]],
): Set<string> {
  const names = new Set<string>();
  for (const path of paths) {
    let sets = info.fieldNodes.map((node) => node.selectionSet);
    for (const step of path) {
      sets = sets.flatMap((set) =>
        fieldsOf(info, set)
          .filter((field) => field.name.value === step)
          .map((field) => field.selectionSet),
      );
    }
    for (const set of sets) for (const field of fieldsOf(info, set)) names.add(field.name.value);
  }
  return names;
}

function fieldsOf(info: GraphQLResolveInfo, set: SelectionSetNode | undefined): FieldNode[] {
  return (set?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsOf(info, selection.selectionSet);
    return fieldsOf(info, info.fragments[selection.name.value]?.selectionSet);
  });
}
