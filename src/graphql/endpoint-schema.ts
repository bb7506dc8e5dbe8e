import {
  type GraphQLFieldConfig,
  type GraphQLFieldConfigMap,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
} from 'graphql';
import { demand } from '#accounts/permissions.ts';
import { AppError } from '#base/errors.ts';
import { followFreshened } from '#endpoints/follow-freshened.ts';
import { fieldName, typeName } from '#endpoints/names.ts';
import { rateWords } from '#endpoints/rate-state.ts';
import type { ProjectEndpoints } from '#endpoints/registry.ts';
import { readCall, serveCall } from '#endpoints/serve-call.ts';
import type { Endpoint } from '#endpoints/served.ts';
import { askerOf, type Context, viewerOf } from './context.ts';
import { type Answered, type EndpointTypes, endpointTypes } from './endpoint-types.ts';
import { withLeafSchema } from './leaf-rows.ts';
import { refuseNulIn } from './refuse-nul.ts';
import { follow } from './watch.ts';

const made = new WeakMap<GraphQLSchema, WeakMap<ProjectEndpoints, GraphQLSchema>>();

/**
 * The schema as one project sees it: the one that all have, and `Query.data` with a field for each endpoint that it serves.
 * The same schema as long as the endpoints are the same.
 */
export function withEndpoints(base: GraphQLSchema, endpoints: ProjectEndpoints): GraphQLSchema {
  if (endpoints.all.length === 0) return base;
  const ofBase = made.get(base) ?? new WeakMap<ProjectEndpoints, GraphQLSchema>();
  made.set(base, ofBase);
  const known = ofBase.get(endpoints) ?? extend(base, endpoints.all);
  ofBase.set(endpoints, known);
  return known;
}

/** Only the roots are made anew: every other type is the one that all projects have. */
function extend(base: GraphQLSchema, endpoints: readonly Endpoint[]): GraphQLSchema {
  const fields: GraphQLFieldConfigMap<unknown, Context> = {};
  const events: GraphQLFieldConfigMap<Answered, Context> = {};
  const all = endpoints.map((endpoint) => ({ endpoint, types: endpointTypes(base, endpoint) }));
  for (const { endpoint, types } of all) {
    fields[fieldName(endpoint)] = queryField(endpoint, types);
    events[`data${typeName(endpoint)}`] = subscriptionField(endpoint, types);
  }
  const { query, subscription, ...rest } = base.toConfig();
  const schema = new GraphQLSchema({
    ...rest,
    query: withFields(query!, { data: dataField(fields) }),
    subscription: withFields(subscription!, events),
    types: rest.types.filter((type) => type !== query && type !== subscription),
  });
  return withLeafSchema(schema, () => leafSchema(fields, all));
}

function leafSchema(
  fields: GraphQLFieldConfigMap<unknown, Context>,
  all: readonly { endpoint: Endpoint; types: EndpointTypes }[],
): GraphQLSchema {
  const leaves = all.map(({ endpoint, types }): [string, GraphQLFieldConfig<unknown, Context>] => {
    const name = fieldName(endpoint);
    return [name, { ...fields[name]!, type: new GraphQLNonNull(types.leafConnection()) }];
  });
  const query = { name: 'Query', fields: { data: dataField(Object.fromEntries(leaves)) } };
  return new GraphQLSchema({ query: new GraphQLObjectType(query), assumeValid: true });
}

function dataField(fields: GraphQLFieldConfigMap<unknown, Context>): GraphQLFieldConfig<unknown, Context> {
  const data = new GraphQLObjectType<unknown, Context>({
    name: 'Data',
    description: "The project's own data APIs, a field each.",
    fields,
  });
  return {
    type: new GraphQLNonNull(data),
    description:
      "The project's own data APIs. Needs to be signed in, and for each field the scopes of its endpoint.",
    resolve: (_root, _args, context: Context) => {
      demand(context.viewer, 'SIGNED_IN');
      return {};
    },
  };
}

function withFields<Source>(
  root: GraphQLObjectType,
  more: GraphQLFieldConfigMap<Source, Context>,
): GraphQLObjectType {
  const config = root.toConfig();
  return new GraphQLObjectType({ ...config, fields: { ...config.fields, ...more } });
}

function queryField(endpoint: Endpoint, types: EndpointTypes): GraphQLFieldConfig<unknown, Context> {
  return {
    ...described(endpoint, types),
    resolve: (_root, args, context) => answer(endpoint, types, args, context),
  };
}

function subscriptionField(endpoint: Endpoint, types: EndpointTypes): GraphQLFieldConfig<Answered, Context> {
  const { description, ...rest } = described(endpoint, types);
  return {
    ...rest,
    description: `${description} The answer now, and anew whenever the tables behind it were written. Does not end.`,
    subscribe: (_root, args, context) => {
      check(endpoint, types, args, context);
      return follow(context, (signal) => followFreshened(context.app.endpoints, { endpoint, signal }));
    },
    resolve: (_event, args, context) => answer(endpoint, types, args, context),
  };
}

function described(endpoint: Endpoint, { connection, args }: EndpointTypes) {
  const { description, scopes, pages, rowsMax, rateLimit, sunsetAt, replacement, state } = endpoint;
  const needs = scopes === null ? 'Anybody who is signed in may call it.' : `Needs ${scopes.join(', ')}.`;
  const takes = rateLimit === null ? '' : ` Takes ${rateWords(rateLimit)}, RATE_LIMITED beyond.`;
  const gone = sunsetAt === null ? '' : ` It is served until ${sunsetAt.toISOString().slice(0, 10)}.`;
  return {
    type: new GraphQLNonNull(connection),
    args,
    description: `${description ?? endpoint.name} ${needs}${takes}`,
    ...(state === 'DEPRECATED' && { deprecationReason: `${replacement ?? 'It is deprecated.'}${gone}` }),
    extensions: {
      complexity: (asked: { first?: number | null; last?: number | null }) => ({
        field: 1,
        multiplier: pages ? (asked.first ?? asked.last ?? pages.size) : Math.min(rowsMax, 100),
      }),
    },
  };
}

/** The call that the arguments make. Fails with FORBIDDEN without the scopes, with BAD_USER_INPUT for wrong parameters. */
function check(endpoint: Endpoint, types: EndpointTypes, args: Record<string, unknown>, context: Context) {
  return readCall(context.app.endpoints, endpoint, () => {
    refuseNulIn(args);
    for (const scope of endpoint.scopes ?? ['SIGNED_IN' as const]) demand(context.viewer, scope);
    const { values, problems } = types.paramsOf(args);
    if (problems.length === 0) return values;
    throw new AppError('BAD_USER_INPUT', problems.map(({ message }) => message).join(' '), {
      fix: problems[0]!.fix,
    });
  });
}

async function answer(
  endpoint: Endpoint,
  types: EndpointTypes,
  args: Record<string, unknown>,
  context: Context,
): Promise<Answered> {
  const values = check(endpoint, types, args, context);
  const caller = { viewer: viewerOf(context), address: null };
  const call = { values, page: args };
  return {
    endpoint,
    answer: await serveCall(context.app.endpoints, { caller, asker: askerOf(context) }, endpoint, call),
  };
}
