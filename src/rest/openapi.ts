import { jsonOfValue } from '#base/json-value.ts';
import type { Json } from '#connectors/contract.ts';
import { defaults } from '#endpoints/declaration-schema.ts';
import type { ParamDeclaration, ParamType } from '#endpoints/declaration.ts';
import { fieldName, typeName } from '#endpoints/names.ts';
import { type RateLimit, rateWords } from '#endpoints/rate-state.ts';
import { defaultOf } from '#endpoints/read-params.ts';
import type { Endpoint, ServedColumn } from '#endpoints/served.ts';

type Schema = { [keyword: string]: Json };

/** The endpoints as OpenAPI 3.1; paths lie below /api of the gateway that serves it. */
export function openApiOf(endpoints: readonly Endpoint[]): Schema {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Data APIs',
      description: "The project's data endpoints: SQL with typed parameters, served by Sluice.",
      version: '1',
    },
    servers: [{ url: '/api', description: 'The gateway that serves this document.' }],
    tags: tagsOf(endpoints),
    paths: Object.fromEntries(
      endpoints.map((endpoint) => [`/${endpoint.path}`, { get: operationOf(endpoint) }]),
    ),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API key, or a session token of logIn.' },
      },
      schemas: { Error: errorSchema, Failure: failureSchema, ...rowSchemas(endpoints) },
      responses: failures,
    },
  };
}

function tagsOf(endpoints: readonly Endpoint[]): Json[] {
  return [...new Set(endpoints.flatMap(tagsOfOne))].sort().map((name) => ({ name }));
}

/** Viewers list operations under their tags. */
function tagsOfOne({ tags }: Endpoint): readonly string[] {
  return tags.length > 0 ? tags : ['endpoints'];
}

function operationOf(endpoint: Endpoint): Schema {
  const { name, version, description, params, scopes, state, replacement, sunsetAt, rateLimit } = endpoint;
  const gone = sunsetAt === null ? '' : ` Served until ${sunsetAt.toISOString().slice(0, 10)}.`;
  const warning = state === 'DEPRECATED' ? `${replacement ?? 'Deprecated.'}${gone}` : null;
  const takes = rateLimit && `Takes ${rateWords(rateLimit)}.`;
  return {
    operationId: fieldName({ name, version }),
    summary: name,
    ...((description ?? warning ?? takes) !== null && {
      description: [description, takes, warning].filter(Boolean).join('\n\n'),
    }),
    tags: [...tagsOfOne(endpoint)],
    ...(state === 'DEPRECATED' && { deprecated: true }),
    security: scopes === null ? [] : [{ token: [] }],
    ...(scopes !== null && { 'x-scopes': [...scopes] }),
    parameters: [...params.map(paramOf), ...pageParams(endpoint), formatParam],
    responses: {
      '200': answerOf(endpoint),
      '304': { description: 'What the client has, by If-None-Match, is what there is.' },
      '400': reference('responses', 'Wrong'),
      '401': reference('responses', 'Nobody'),
      ...(scopes !== null && { '403': reference('responses', 'Forbidden') }),
      '406': reference('responses', 'NotAcceptable'),
      ...(rateLimit && { '429': reference('responses', 'TooMany') }),
      '500': reference('responses', 'Broken'),
      '503': reference('responses', 'Away'),
      '504': reference('responses', 'Late'),
    },
  };
}

function reference(kind: 'schemas' | 'responses', name: string): Schema {
  return { $ref: `#/components/${kind}/${name}` };
}

/** Values as text, as a URL has them. */
const typeSchemas: Record<ParamType, Schema> = {
  string: { type: 'string' },
  integer: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  boolean: { type: 'boolean' },
  date: { type: 'string', format: 'date' },
  datetime: { type: 'string', format: 'date-time' },
  uuid: { type: 'string', format: 'uuid' },
};

function paramOf(param: ParamDeclaration): Schema {
  const { name, description, list, required } = param;
  const isDefault = param.default !== undefined;
  const one = valueSchema(param);
  const schema = list ? { type: 'array', items: one, maxItems: param.maxItems ?? defaults.maxItems } : one;
  return {
    name,
    in: 'query',
    ...(description !== undefined && { description }),
    required: required ?? false,
    schema: { ...schema, ...(isDefault && { default: jsonOfValue(defaultOf(param)) as Json }) },
    ...(list && { style: 'form', explode: true }),
  };
}

function valueSchema(param: ParamDeclaration): Schema {
  const { type, pattern, minLength, minimum, maximum } = param;
  return {
    ...typeSchemas[type],
    ...(param.enum && { enum: [...param.enum] }),
    ...(type === 'string' && !param.enum && { maxLength: param.maxLength ?? defaults.maxLength }),
    ...(minLength !== undefined && { minLength }),
    // The whole value has to fit.
    ...(pattern !== undefined && isOfScripts(pattern) && { pattern: `^(?:${pattern})$` }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
  };
}

/** Whether those who read the document can: it has the patterns of JavaScript, and RE2 has some that are none there. */
function isOfScripts(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u').unicode;
  } catch {
    return false;
  }
}

function pageParams({ pages }: Endpoint): Schema[] {
  if (!pages) return [];
  const size = { type: 'integer', minimum: 1, maximum: pages.sizeMax };
  const query = (name: string, description: string, schema: Schema) => ({
    name,
    in: 'query',
    description,
    required: false,
    schema,
  });
  return [
    // No default is declared, here and for the format: viewers would send it along with `last`, and against Accept.
    query('first', `How many rows from the beginning, or after a cursor: ${pages.size} without it.`, size),
    query('after', 'A cursor: the page begins after its row.', { type: 'string' }),
    query('last', 'How many rows before a cursor; only with before.', size),
    query('before', 'A cursor: the page ends before its row. Not with first and after.', { type: 'string' }),
  ];
}

const formatParam: Schema = {
  name: 'format',
  in: 'query',
  description:
    'How the rows are written, before what Accept says. csv and ndjson without a page give all rows.',
  required: false,
  schema: { type: 'string', enum: ['json', 'ndjson', 'csv'] },
};

function answerOf(endpoint: Endpoint): Schema {
  const row = reference('schemas', rowName(endpoint));
  const { pages, rateLimit } = endpoint;
  return {
    description: 'The rows.',
    headers: {
      ETag: { description: 'Of these very rows.', schema: { type: 'string' } },
      'Last-Modified': {
        description: 'When a task last wrote the tables behind; left out when none did.',
        schema: { type: 'string' },
      },
      'Sluice-Cache': {
        description: 'Whether the answer was kept.',
        schema: { enum: ['HIT', 'MISS', 'SHARED', 'STALE'] },
      },
      ...(rateLimit && rateHeadersOf(rateLimit)),
    },
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['data', 'paging', 'errors'],
          properties: {
            data: { type: 'array', items: row },
            paging: pagingSchema(pages !== null),
            errors: { type: 'array', items: reference('schemas', 'Error'), maxItems: 0 },
          },
        },
      },
      'application/x-ndjson': { schema: { type: 'string', description: 'A row as JSON in each line.' } },
      'text/csv': { schema: { type: 'string', description: 'RFC 4180, with a first line of names.' } },
    },
  };
}

function rateHeadersOf({ requests }: RateLimit): Schema {
  const header = (description: string, type: string): Schema => ({ description, schema: { type } });
  return {
    ...(requests !== null && {
      'RateLimit-Limit': header('Calls that the window takes.', 'integer'),
      'RateLimit-Remaining': header('Those that are left.', 'integer'),
      'RateLimit-Reset': header('Seconds until it begins anew.', 'integer'),
    }),
    'RateLimit-Policy': header(
      'What a window of "w" seconds takes, "q", of "requests" and of "cost", which is milliseconds.',
      'string',
    ),
    RateLimit: header('What is left of it, "r", and the seconds until it begins anew, "t".', 'string'),
  };
}

function pagingSchema(hasPages: boolean): Schema {
  const cursor = (description: string) => ({ type: ['string', 'null'], description });
  return {
    type: 'object',
    required: ['after', 'before'],
    properties: {
      after: cursor('Goes on after these rows; null when there are none.'),
      before: cursor('Goes back before these rows; null when there are none.'),
      ...(!hasPages && {
        truncated: { type: 'boolean', description: 'There are more rows than an answer may have.' },
      }),
    },
  };
}

/** No name of an endpoint has "_", so that none is Error or Failure. */
function rowName(endpoint: Endpoint): string {
  return `${typeName(endpoint)}_Row`;
}

function rowSchemas(endpoints: readonly Endpoint[]): Schema {
  return Object.fromEntries(
    endpoints.map((endpoint) => [
      rowName(endpoint),
      {
        type: 'object',
        description: `A row of ${endpoint.name}.`,
        required: endpoint.columns.map(({ name }) => name),
        properties: Object.fromEntries(
          endpoint.columns.map((column) => [
            column.name,
            { ...columnSchema(column), description: column.dataType },
          ]),
        ),
      },
    ]),
  );
}

function columnSchema({ type }: ServedColumn): Schema {
  switch (type) {
    // Beyond 2^53 its digits, so that they stay exact.
    case 'integer':
      return { type: ['integer', 'string', 'null'], format: 'int64' };
    // NaN and the infinities are their names.
    case 'float':
      return { type: ['number', 'string', 'null'] };
    case 'boolean':
      return { type: ['boolean', 'null'] };
    case 'uuid':
      return { type: ['string', 'null'], format: 'uuid' };
    case 'date':
      return { type: ['string', 'null'], format: 'date' };
    case 'timestamptz':
      return { type: ['string', 'null'], format: 'date-time' };
    case 'json':
    case 'other':
      return {};
    case 'text':
    case 'decimal':
    case 'timestamp':
    default:
      return { type: ['string', 'null'] };
  }
}

const errorSchema: Schema = {
  type: 'object',
  required: ['code', 'message', 'requestId'],
  properties: {
    code: { type: 'string', description: 'For programs; the codes of GraphQL errors.' },
    message: { type: 'string', description: 'What happened, and what is allowed.' },
    param: { type: 'string', description: 'The parameter to blame.' },
    fix: { type: 'string', description: 'What to do.' },
    requestId: { type: 'string' },
  },
};

const failureSchema: Schema = {
  type: 'object',
  required: ['data', 'paging', 'errors'],
  properties: {
    data: { type: 'array', maxItems: 0 },
    paging: { type: 'object' },
    errors: { type: 'array', minItems: 1, items: reference('schemas', 'Error') },
  },
};

const failure = (description: string): Schema => ({
  description,
  content: { 'application/json': { schema: reference('schemas', 'Failure') } },
});

const failures: Schema = {
  Wrong: failure('A parameter is wrong: BAD_USER_INPUT.'),
  Nobody: failure('Nobody is signed in, or the token is none: UNAUTHENTICATED.'),
  Forbidden: failure('A scope is missing: FORBIDDEN.'),
  NotAcceptable: failure('Accept names no format that there is.'),
  TooMany: failure('Beyond the rate limit; Retry-After says when to come again: RATE_LIMITED.'),
  Broken: failure('Something failed inside of Sluice: INTERNAL.'),
  Away: failure('The datastore is not reached: WAREHOUSE_UNAVAILABLE.'),
  Late: failure('The statement took too long: WAREHOUSE_TIMEOUT.'),
};
