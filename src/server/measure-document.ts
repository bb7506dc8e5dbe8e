import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { AppError } from '#base/errors.ts';
import type { Limits } from './limits.ts';

/** What a document asks for, every fragment counted wherever it is spread. */
interface Extent {
  depth: number;
  introspectionDepth: number;
  aliases: number;
  directives: number;
  fields: number;
}

const nothing: Extent = { depth: 0, introspectionDepth: 0, aliases: 0, directives: 0, fields: 0 };

/**
 * Fails with QUERY_TOO_COMPLEX, figures and bound, when an operation of the document is deeper, or has more aliases,
 * root fields or directives than allowed. Linear in the document, and so fit to run before validation, which is not.
 */
export function checkExtent(document: DocumentNode, limits: Limits): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measure = measurer(fragments);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const extent = measure(definition.selectionSet, false);
    const directives =
      extent.directives +
      (definition.directives?.length ?? 0) +
      (definition.variableDefinitions ?? []).reduce((sum, each) => sum + (each.directives?.length ?? 0), 0);
    refuseOver(
      extent.depth,
      limits.depthMax,
      'levels deep',
      'Ask for less at once, or follow the ids with node.',
    );
    refuseOver(
      extent.introspectionDepth,
      limits.introspectionDepthMax,
      'levels of introspection deep',
      'Use getIntrospectionQuery of graphql-js.',
    );
    refuseOver(
      extent.aliases,
      limits.aliasesMax,
      'aliases long',
      'Use nodes(ids:) or a list field in place of many aliases.',
    );
    refuseOver(extent.fields, limits.rootFieldsMax, 'root fields wide', 'Send several requests.');
    refuseOver(
      directives,
      limits.directivesMax,
      'directives long',
      'Leave out what you do not need in place of @skip.',
    );
  }
}

function refuseOver(found: number, bound: number, what: string, fix: string): void {
  if (found <= bound) return;
  throw new AppError('QUERY_TOO_COMPLEX', `The operation is ${found} ${what}; ${bound} are allowed.`, {
    fix,
  });
}

/** Measures selection sets; `fields` counts those of the set itself, its fragments included. */
function measurer(fragments: Map<string, FragmentDefinitionNode>) {
  const known = new Map<string, Extent>();

  function spread(name: string, inside: boolean): Extent {
    const key = `${inside}:${name}`;
    const before = known.get(key);
    if (before) return before;
    // A fragment that spreads itself counts as nothing here; validation refuses it.
    known.set(key, nothing);
    const fragment = fragments.get(name);
    if (!fragment) return nothing;
    const extent = measure(fragment.selectionSet, inside);
    extent.directives += fragment.directives?.length ?? 0;
    known.set(key, extent);
    return extent;
  }

  function measure(set: SelectionSetNode, inside: boolean): Extent {
    const total: Extent = { ...nothing };
    for (const selection of set.selections) {
      total.directives += selection.directives?.length ?? 0;
      if (selection.kind !== Kind.FIELD) {
        const part =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? spread(selection.name.value, inside)
            : measure(selection.selectionSet, inside);
        add(total, part, 0, inside);
        total.fields += part.fields;
        continue;
      }
      const introspects = inside || selection.name.value === '__schema' || selection.name.value === '__type';
      total.fields += 1;
      if (selection.alias) total.aliases += 1;
      add(
        total,
        selection.selectionSet ? measure(selection.selectionSet, introspects) : nothing,
        1,
        introspects,
      );
    }
    return total;
  }

  return measure;
}

function add(total: Extent, part: Extent, level: 0 | 1, introspects: boolean): void {
  total.aliases += part.aliases;
  total.directives += part.directives;
  if (introspects) {
    total.introspectionDepth = Math.max(total.introspectionDepth, part.introspectionDepth + level);
  } else {
    total.depth = Math.max(total.depth, part.depth + level);
    total.introspectionDepth = Math.max(total.introspectionDepth, part.introspectionDepth);
  }
}
