import {
  getNamedType,
  getNullableType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { schema } from '#graphql/schema.ts';

/* Operations made from the schema alone, so that a field which is added is asked for without anybody naming it. */

export type Root = 'Query' | 'Mutation' | 'Subscription';
export type Arguments = Record<string, unknown>;

/** The fields of a root type. */
export function rootFields(root: Root): GraphQLField<unknown, unknown>[] {
  const type = schema.getType(root);
  return isObjectType(type) ? Object.values(type.getFields()) : [];
}

/** The names of the object types that can be read by id. */
export function nodeTypes(): string[] {
  const node = schema.getType('Node');
  return isInterfaceType(node) ? schema.getPossibleTypes(node).map((type) => type.name) : [];
}

/** The places of every id in the arguments of a field: "id", "input.sourceId". */
export function idPaths(field: GraphQLField<unknown, unknown>): string[] {
  const within = (type: GraphQLInputType, path: string, outer: readonly string[]): string[] => {
    const named = getNamedType(type);
    if (named.name === 'ID') return [path];
    // A filter holds filters of its own type: their places are those of the outermost.
    if (!isInputObjectType(named) || outer.includes(named.name)) return [];
    const inner = [...outer, named.name];
    return Object.values(named.getFields()).flatMap((each) =>
      within(each.type, `${path}.${each.name}`, inner),
    );
  };
  return field.args.flatMap((arg) => within(arg.type, arg.name, []));
}

/** Arguments that the schema takes, with as little in them as it demands. */
export function leastArguments(field: GraphQLField<unknown, unknown>, id: string): Arguments {
  const required = field.args.filter((arg) => isRequiredArgument(arg));
  return Object.fromEntries(required.map((arg: GraphQLArgument) => [arg.name, leastValue(arg.type, id)]));
}

function leastValue(type: GraphQLInputType, id: string): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [leastValue(bare.ofType, id)];
  if (isEnumType(bare)) return bare.getValues()[0]?.name;
  if (isInputObjectType(bare)) {
    const required = Object.values(bare.getFields()).filter((each) => isRequiredInputField(each));
    return Object.fromEntries(required.map((each) => [each.name, leastValue(each.type, id)]));
  }
  const values: Record<string, unknown> = {
    ID: id,
    Int: 1,
    Float: 1,
    Boolean: true,
    JSON: {},
    DateTime: '2026-01-01T00:00:00Z',
  };
  return values[bare.name] ?? 'x';
}

/** One root field with these arguments as variables, and everything below it to that depth. */
export function operationOf(
  root: Root,
  field: GraphQLField<unknown, unknown>,
  args: Arguments,
  depth = 3,
): { query: string; variables: Arguments } {
  const given = field.args.filter((arg) => arg.name in args);
  const declared = given.map((arg) => `$${arg.name}: ${String(arg.type)}`).join(', ');
  const passed = given.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const kind = root.toLowerCase();
  const call = `${field.name}${passed && `(${passed})`}`;
  return {
    query: `${kind} Made${declared && `(${declared})`} { ${call} ${selection(field.type, depth)} }`,
    variables: args,
  };
}

/** Every field below the type that can be asked for without arguments, to that depth. */
export function selection(type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  if (isInterfaceType(named)) {
    const fragments = schema
      .getPossibleTypes(named)
      .map((each) => `... on ${each.name} ${selection(each, depth)}`);
    return `{ __typename ${fragments.join(' ')} }`;
  }
  if (!isObjectType(named)) return '{ __typename }';
  const fields = Object.values(named.getFields())
    .filter((field) => !field.args.some(isRequiredArgument))
    // A sample asks the warehouse, which the tests of tables do.
    .filter((field) => field.name !== 'sample')
    .filter((field) => depth > 0 || isLeafType(getNamedType(field.type)))
    // A type may have another's field under another type: each gets a name of its own.
    .map((field) => `${named.name}_${field.name}: ${field.name} ${selection(field.type, depth - 1)}`);
  return `{ __typename ${fields.join(' ')} }`;
}

/** The arguments with another value at that place. */
export function withValue(args: Arguments, path: string, value: unknown): Arguments {
  const [head, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) return { ...args, [head]: Array.isArray(args[head]) ? [value] : value };
  return { ...args, [head]: withValue((args[head] ?? {}) as Arguments, rest.join('.'), value) };
}
