import {
  type DocumentNode,
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLResolveInfo,
  GraphQLScalarType,
  type GraphQLSchema,
  locatedError,
  responsePathAsArray,
} from 'graphql';
import type { Context } from './context.ts';
import { leafDocument, type Row, type Selected, selectedBy } from './leaf-document.ts';

/*
 * The rows of an endpoint are values of one level, and graphql-js takes most of its time for each of them alone. So an operation
 * that asks for endpoints only is executed as another one, in which a list of rows is a leaf: its schema has the type Rows there,
 * and its document no selection, which the resolver of the list knows from here.
 */

/** What a list of rows is in a schema that leaves are resolved by. */
export const leafRows = new GraphQLScalarType<readonly object[]>({ name: 'Rows' });

/** Values that could not be given, of operations under way. */
const failures = new WeakMap<Context, GraphQLError[]>();
const written = new WeakMap<readonly Row[], WeakMap<readonly Selected[], readonly object[]>>();

/**
 * Rows as they are selected, completed as graphql-js does it: a value that cannot be given is null, and an error of its own.
 * `isKept` rows are written once for each selection. Fails with the error of a value that may not be null.
 */
export function writeRows(
  rows: readonly Row[],
  { context, info, isKept }: { context: Context; info: GraphQLResolveInfo; isKept: boolean },
): readonly object[] {
  const selected = selectedBy(info.fieldNodes);
  const before = isKept ? written.get(rows)?.get(selected) : undefined;
  if (before) return before;
  const failed: GraphQLError[] = [];
  const objects = rows.map((row, index) => {
    const object: Record<string, unknown> = {};
    for (const field of selected) {
      try {
        object[field.key] = field.valueOf(row);
      } catch (error) {
        const path = [...responsePathAsArray(info.path), index, field.key];
        const located = locatedError(error, field.node, path);
        if (!field.isNullable) throw located;
        object[field.key] = null;
        failed.push(located);
      }
    }
    return object;
  });
  failures.get(context)?.push(...failed);
  if (isKept && failed.length === 0) remember(rows, selected, objects);
  return objects;
}

function remember(rows: readonly Row[], selected: readonly Selected[], objects: readonly object[]): void {
  const known = written.get(rows) ?? new WeakMap<readonly Selected[], readonly object[]>();
  written.set(rows, known.set(selected, objects));
}

/** By a schema, how to make the one whose lists of rows are leaves; it needs to have no other root than those of its endpoints. */
const makers = new WeakMap<GraphQLSchema, () => GraphQLSchema>();
const leafSchemas = new WeakMap<GraphQLSchema, GraphQLSchema>();
/** By a schema and a document, what is executed in its place; null where nothing is. */
const documents = new WeakMap<GraphQLSchema, WeakMap<DocumentNode, DocumentNode | null>>();

/** Lets operations of `schema` be executed by the schema that `make` gives, made when the first is. */
export function withLeafSchema(schema: GraphQLSchema, make: () => GraphQLSchema): GraphQLSchema {
  makers.set(schema, make);
  return schema;
}

/** Answers as graphql-js does. The operation is valid, and its context that of no other. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const { schema } = args;
  const document = documentOf(schema, args.document);
  if (!document) return execute(args);
  const context = args.contextValue as Context;
  const failed: GraphQLError[] = [];
  failures.set(context, failed);
  const leafSchema = leafSchemas.get(schema) ?? makers.get(schema)!();
  leafSchemas.set(schema, leafSchema);
  const result = await execute({ ...args, schema: leafSchema, document });
  // Errors below what has become null itself are not told.
  if (failed.length === 0 || result.data == null) return result;
  return { ...result, errors: [...(result.errors ?? []), ...failed] };
}

function documentOf(schema: GraphQLSchema, document: DocumentNode): DocumentNode | null {
  if (!makers.has(schema)) return null;
  const ofSchema = documents.get(schema) ?? new WeakMap<DocumentNode, DocumentNode | null>();
  documents.set(schema, ofSchema);
  const known = ofSchema.get(document);
  if (known !== undefined) return known;
  const made = leafDocument(schema, document);
  ofSchema.set(document, made);
  return made;
}
