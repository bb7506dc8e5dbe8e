import {
  GraphQLEnumType,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldConfigMap,
  type GraphQLInputType,
  GraphQLFloat,
  GraphQLBoolean,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLScalarType,
  type GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { AppError } from '#base/errors.ts';
import { jsonOfValue } from '#base/json-value.ts';
import type { ParamDeclaration, ParamType } from '#endpoints/declaration.ts';
import { enumName, graphqlName, isGraphqlEnum, typeName } from '#endpoints/names.ts';
import { defaultOf, paramsOfJson, type ReadParams, wordsOf } from '#endpoints/read-params.ts';
import { cursorAt, type EndpointAnswer } from '#endpoints/run.ts';
import type { Endpoint, ServedColumn } from '#endpoints/served.ts';
import type { Context } from './context.ts';
import { leafRows, writeRows } from './leaf-rows.ts';

/** What a connection of an endpoint is resolved from. */
export interface Answered {
  endpoint: Endpoint;
  answer: EndpointAnswer;
}
type Row = readonly unknown[];

/** The types of one endpoint, made of those of the schema that every project has. */
export interface EndpointTypes {
  connection: GraphQLObjectType;
  /** The same, where its list of rows is a leaf. */
  leafConnection: () => GraphQLObjectType;
  args: GraphQLFieldConfigArgumentMap;
  /** The parameters of a call, from the arguments of its field. */
  paramsOf(args: Record<string, unknown>): ReadParams;
}

/** Names that the schema has already stand for what they stood for: those of the endpoint are told from them by "Data_", which no other has. */
export function endpointTypes(base: GraphQLSchema, endpoint: Endpoint): EndpointTypes {
  const prefix = typeName(endpoint);
  const named = (name: string) => (name === 'Data' || base.getType(name) ? `Data_${name}` : name);
  const row = rowType(base, endpoint, named(prefix));
  const connection = connectionType(base, endpoint, row, (suffix) => named(prefix + suffix));
  return {
    connection,
    leafConnection: () => withLeafRows(connection),
    args: { ...paramArgs(base, endpoint, named), ...pageArgs(endpoint) },
    paramsOf: (args) => paramsOfJson(endpoint.params, givenParams(endpoint, args)),
  };
}

function scalar(base: GraphQLSchema, name: 'BigInt' | 'Date' | 'DateTime' | 'JSON'): GraphQLScalarType {
  return base.getType(name) as GraphQLScalarType;
}

function rowType(base: GraphQLSchema, { columns, pages, name }: Endpoint, type: string): GraphQLObjectType {
  const fields: GraphQLFieldConfigMap<Row, Context> = {};
  for (const [index, column] of columns.entries()) {
    const isKey = pages?.key.some((key) => key.name === column.name) ?? false;
    const output = outputType(base, column);
    fields[graphqlName(column.name)] = {
      type: isKey ? new GraphQLNonNull(output) : output,
      description: `The column ${column.name}, ${column.dataType}.`,
      resolve: (row) => outputValue(column, row[index]),
    };
  }
  return new GraphQLObjectType<Row, Context>({ name: type, description: `A row of ${name}.`, fields });
}

function outputType(base: GraphQLSchema, { type }: ServedColumn): GraphQLOutputType & GraphQLScalarType {
  switch (type) {
    case 'integer':
      return scalar(base, 'BigInt');
    case 'float':
      return GraphQLFloat;
    case 'boolean':
      return GraphQLBoolean;
    case 'date':
      return scalar(base, 'Date');
    case 'timestamp':
    case 'timestamptz':
      return scalar(base, 'DateTime');
    case 'json':
    case 'other':
      return scalar(base, 'JSON');
    // Decimals are strings, so that every digit arrives.
    case 'text':
    case 'uuid':
    case 'decimal':
    default:
      return GraphQLString;
  }
}

function outputValue({ name, type }: ServedColumn, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  const isTime = type === 'date' || type === 'timestamp' || type === 'timestamptz';
  if (isTime && typeof value === 'string' && !/^\d{4}-/.test(value)) throw noTime(name, type, value);
  if (type === 'json' || type === 'other') return jsonOfValue(value);
  // GraphQL's Float has no NaN and no infinities.
  if (type === 'float') return Number.isFinite(value) ? value : null;
  if (type === 'timestamp' && typeof value === 'string') return value.endsWith('Z') ? value : `${value}Z`;
  return value;
}

/** RFC 3339, which both scalars keep to, has years of four digits and no infinities. */
function noTime(name: string, type: ServedColumn['type'], value: string): AppError {
  const scalarName = type === 'date' ? 'Date' : 'DateTime';
  return new AppError(
    'BAD_USER_INPUT',
    `The column "${name}" holds ${value}, which no ${scalarName} is: they have years from 0000 to 9999.`,
    {
      fix: 'Call the endpoint over REST, which gives it as it is; whoever owns the endpoint can make it a text in its query.',
    },
  );
}

function connectionType(
  base: GraphQLSchema,
  { name, pages }: Endpoint,
  row: GraphQLObjectType,
  named: (name: string) => string,
): GraphQLObjectType {
  const fields: GraphQLFieldConfigMap<Answered, Context> = {
    nodes: {
      type: listOf(row),
      description: 'The rows.',
      resolve: ({ answer }) => answer.rows,
    },
    freshness: {
      type: new GraphQLNonNull(base.getType('Freshness') as GraphQLObjectType),
      description: 'When the data behind these rows was last written, and by which task.',
      resolve: ({ answer }) => answer.freshness,
    },
  };
  if (pages) Object.assign(fields, pageFields(base, row, named));
  else {
    fields['truncated'] = {
      type: new GraphQLNonNull(GraphQLBoolean),
      description: 'Whether there are more rows than an answer of the endpoint may have.',
      resolve: ({ answer }) => answer.truncated,
    };
  }
  const description = `Rows of ${name}.`;
  return new GraphQLObjectType<Answered, Context>({
    name: named('Connection'),
    description,
    fields,
  });
}

function withLeafRows(connection: GraphQLObjectType): GraphQLObjectType {
  const { fields, ...config } = connection.toConfig();
  const nodes: GraphQLFieldConfig<Answered, Context> = {
    type: new GraphQLNonNull(leafRows),
    resolve: ({ answer: { rows, cache } }, _args, context, info) =>
      writeRows(rows, { context, info, isKept: cache === 'HIT' }),
  };
  return new GraphQLObjectType<Answered, Context>({ ...config, fields: { ...fields, nodes } });
}

function pageFields(
  base: GraphQLSchema,
  row: GraphQLObjectType,
  named: (name: string) => string,
): GraphQLFieldConfigMap<Answered, Context> {
  const edge = new GraphQLObjectType<{ cursor: string; node: Row }, Context>({
    name: named('Edge'),
    description: 'A row and where it stands.',
    fields: {
      cursor: { type: new GraphQLNonNull(GraphQLString), description: 'Where the row stands in the list.' },
      node: { type: new GraphQLNonNull(row), description: 'The row.' },
    },
  });
  const cursorOfRow = ({ endpoint, answer }: Answered, at: number) => {
    const found = answer.rows.at(at);
    return found === undefined ? null : cursorAt(endpoint, found);
  };
  return {
    edges: {
      type: listOf(edge),
      description: 'The rows, each with its cursor.',
      resolve: ({ endpoint, answer }) =>
        answer.rows.map((node) => ({ cursor: cursorAt(endpoint, node), node })),
    },
    pageInfo: {
      type: new GraphQLNonNull(base.getType('PageInfo') as GraphQLObjectType),
      description: 'Where the page stands in the list.',
      resolve: (answered) => ({
        hasNextPage: answered.answer.after !== null,
        hasPreviousPage: answered.answer.before !== null,
        startCursor: cursorOfRow(answered, 0),
        endCursor: cursorOfRow(answered, -1),
      }),
    },
  };
}

function listOf(type: GraphQLObjectType): GraphQLOutputType {
  return new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(type)));
}

function pageArgs({ pages }: Endpoint): GraphQLFieldConfigArgumentMap {
  if (!pages) return {};
  const size = `${pages.size} without it, ${pages.sizeMax} at most.`;
  return {
    first: { type: GraphQLInt, description: `How many rows from the beginning, or after a cursor: ${size}` },
    after: { type: GraphQLString, description: 'The cursor that the page begins after.' },
    last: { type: GraphQLInt, description: `How many rows before a cursor: ${size}` },
    before: { type: GraphQLString, description: 'The cursor that the page ends before.' },
  };
}

function paramArgs(
  base: GraphQLSchema,
  endpoint: Endpoint,
  named: (name: string) => string,
): GraphQLFieldConfigArgumentMap {
  const args: GraphQLFieldConfigArgumentMap = {};
  for (const param of endpoint.params) {
    const one = inputType(base, param, () => named(enumName(typeName(endpoint), param.name)));
    const type = param.list ? new GraphQLList(new GraphQLNonNull(one)) : one;
    args[graphqlName(param.name)] = {
      type: param.required ? new GraphQLNonNull(type) : type,
      description: param.description ?? `${wordsOf(param)[0]!.toUpperCase()}${wordsOf(param).slice(1)}.`,
      ...(param.default !== undefined && { defaultValue: inputDefault(one, defaultOf(param)) }),
    };
  }
  return args;
}

function inputType(
  base: GraphQLSchema,
  param: ParamDeclaration,
  enumType: () => string,
): GraphQLScalarType | GraphQLEnumType {
  if (isGraphqlEnum(param)) {
    return new GraphQLEnumType({
      name: enumType(),
      description: param.description ?? `What ${param.name} can be.`,
      values: Object.fromEntries(
        param.enum!.map((value) => [value, { value, description: `The value ${String(value)}.` }]),
      ),
    });
  }
  const types: Record<ParamType, GraphQLScalarType> = {
    string: GraphQLString,
    uuid: GraphQLString,
    integer: scalar(base, 'BigInt'),
    number: GraphQLFloat,
    boolean: GraphQLBoolean,
    date: scalar(base, 'Date'),
    datetime: scalar(base, 'DateTime'),
  };
  return types[param.type];
}

function inputDefault(
  type: GraphQLInputType & { parseValue(value: unknown): unknown },
  value: unknown,
): unknown {
  return Array.isArray(value) ? value.map((each) => type.parseValue(each)) : type.parseValue(value);
}

/** The arguments by the names of the declaration, as JSON has them. */
function givenParams({ params }: Endpoint, args: Record<string, unknown>): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const { name } of params) {
    // Arguments are an object with a prototype: "constructor" would be found there.
    const argument = graphqlName(name);
    if (!Object.hasOwn(args, argument)) continue;
    const value = args[argument];
    given[name] = Array.isArray(value) ? value.map(plain) : plain(value);
  }
  return given;
}

function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}
