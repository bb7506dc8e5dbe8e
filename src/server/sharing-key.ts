import { type DocumentNode, type ExecutionArgs, Kind, visit } from 'graphql';
import type { Context } from '#graphql/context.ts';

/** Names what the answer to an event depends on beside the event: the document, the variables, the viewer's rights. */
export function sharingKeys() {
  const known = new WeakMap<DocumentNode, { id: number; beginOnly: Set<string> }>();
  let documents = 0;
  return ({ document, operationName, variableValues }: ExecutionArgs, { viewer }: Context): string => {
    const about = known.get(document) ?? { id: ++documents, beginOnly: beginOnly(document) };
    known.set(document, about);
    const rights = viewer && [viewer.accountId, viewer.projectId, viewer.role, [...viewer.scopes].sort()];
    const telling = Object.entries(variableValues ?? {}).filter(([name]) => !about.beginOnly.has(name));
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
