import type { ConfigSchema, Json } from '#connectors/contract.ts';
import { durationPattern } from '#base/duration.ts';
import { paramTypes } from './declaration.ts';

/** What a declaration has where it says nothing. */
export const defaults = {
  rows: 1_000,
  timeout: '10s',
  pageSize: 100,
  pageSizeMax: 1_000,
  maxItems: 1_000,
  maxLength: 1_000,
} as const;

/** What no declaration goes beyond. */
export const bounds = {
  rows: 1_000_000,
  timeoutMs: 300_000,
  costMs: 30 * 86_400_000,
  params: 50,
  queryLength: 100_000,
} as const;

export const namePattern = '^[a-z][a-z0-9_]{0,62}$';
const text = (description: string, more: { [keyword: string]: Json } = {}): Json => ({
  type: 'string',
  minLength: 1,
  description,
  ...more,
});
const count = (description: string, minimum: number, maximum: number): Json => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});
const duration = (description: string): Json =>
  text(`${description} A whole number with ms, s, m, h or d.`, { pattern: durationPattern });
const object = (
  description: string,
  properties: { [name: string]: Json },
  required: string[] = [],
): Json => ({
  type: 'object',
  description,
  additionalProperties: false,
  properties,
  required,
});
const scalar: Json = { type: ['string', 'number', 'boolean'] };

const param = object(
  'A parameter of the query. What a call gives is bound, never written into the SQL.',
  {
    name: text('What the SQL calls it after the colon, and the caller in the URL.', { pattern: namePattern }),
    type: { enum: [...paramTypes], description: 'What its values are.' },
    description: text('For those who call.', { maxLength: 1_000 }),
    list: { type: 'boolean', default: false, description: 'Takes several values: in the SQL `IN (:name)`.' },
    required: { type: 'boolean', default: false, description: 'A call without it is refused.' },
    default: {
      description: 'Taken where a call leaves it out. Without one that is NULL, or an empty list.',
      anyOf: [scalar, { type: 'array', items: scalar }],
    },
    enum: {
      type: 'array',
      minItems: 1,
      maxItems: 1_000,
      uniqueItems: true,
      items: scalar,
      description: 'The values that are allowed.',
    },
    pattern: text('Of strings: a regular expression that the whole value fits.', {
      maxLength: 500,
      format: 'regex',
    }),
    minLength: count('Of strings: characters at least.', 0, 1_000_000),
    maxLength: count(`Of strings: characters at most. Without it ${defaults.maxLength}.`, 1, 1_000_000),
    minimum: { type: 'number', description: 'Of integers and numbers.' },
    maximum: { type: 'number', description: 'Of integers and numbers.' },
    maxItems: count(`Of lists: values at most. Without it ${defaults.maxItems}.`, 1, 100_000),
  },
  ['name', 'type'],
);

/** A declaration as JSON Schema; served at /api/endpoint.schema.json, for editors. */
export const declarationSchema: ConfigSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  $id: 'https://sluice.dev/endpoint.schema.json',
  title: 'Sluice endpoint',
  type: 'object',
  description: 'A self-service data API: SQL with typed parameters, served as a GraphQL field and over REST.',
  additionalProperties: false,
  required: ['metadata', 'route', 'query'],
  properties: {
    metadata: object(
      'What it is called.',
      {
        name: text(
          'Its name: small letters, digits and _, a letter first. In GraphQL active_users is activeUsers.',
          { pattern: namePattern },
        ),
        description: text('For those who call.', { maxLength: 5_000 }),
        version: count('Versions are served side by side.', 1, 1_000),
        owner: text('A team or a person to ask.', { maxLength: 200 }),
        tags: {
          type: 'array',
          maxItems: 20,
          uniqueItems: true,
          items: { type: 'string', minLength: 1, maxLength: 50 },
          description: 'Words to group endpoints by.',
        },
      },
      ['name', 'version'],
    ),
    route: text('The path below /api/v<version>, such as /users/active.', {
      pattern: '^(/[a-z0-9][a-z0-9_-]{0,62}){1,8}$',
    }),
    datastore: text("The name of one of the project's datastores. Without it, the default warehouse.", {
      pattern: namePattern,
    }),
    query: text('One SELECT; parameters stand in it as :name.', { maxLength: bounds.queryLength }),
    params: {
      type: 'array',
      maxItems: bounds.params,
      items: param,
      description: 'The parameters, each used by the query.',
    },
    auth: object('Who may call.', {
      scopes: {
        type: 'array',
        minItems: 1,
        uniqueItems: true,
        items: { enum: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'] },
        description: 'What a caller needs, all of them. Without it DATA_READ.',
      },
      public: { type: 'boolean', default: false, description: 'Anybody may call, without signing in.' },
    }),
    cache: object('How long answers are kept, besides being dropped when a sync writes their tables.', {
      ttl: duration(
        'An answer older than this is not given. Without it, it is kept until its tables are written.',
      ),
      staleWhileRevalidate: duration(
        'For so long an answer that is out of date is still given while it is renewed.',
      ),
    }),
    rateLimit: object(
      'How often it may be called, and what the calls may cost: at least one of requests and cost.',
      {
        requests: count('So many calls…', 1, 1_000_000),
        cost: duration(
          '… and so much time that the datastore works for them, whether they succeed or fail: a call begins while some of it is left. Kept answers cost nothing …',
        ),
        per: duration('… in so much time.'),
        by: {
          enum: ['key', 'member', 'address'],
          default: 'key',
          description:
            'Who is counted: an API key or session, a member, or an address; in GraphQL, where none is known, a key.',
        },
      },
      ['per'],
    ),
    limits: object('What one call may cost.', {
      rows: count(`Rows at most. Without it ${defaults.rows}.`, 1, bounds.rows),
      timeout: duration(`After this the statement is stopped. Without it ${defaults.timeout}.`),
    }),
    pagination: object(
      'How its rows come in pages.',
      {
        key: {
          type: 'array',
          minItems: 1,
          maxItems: 5,
          uniqueItems: true,
          items: { type: 'string', minLength: 1 },
          description: 'Columns of the answer that together tell its rows apart; pages are in their order.',
        },
        pageSize: count(
          `Rows of a page where a call does not say. Without it ${defaults.pageSize}.`,
          1,
          10_000,
        ),
        pageSizeMax: count(`Rows that a call may ask for. Without it ${defaults.pageSizeMax}.`, 1, 10_000),
      },
      ['key'],
    ),
    examples: {
      type: 'array',
      maxItems: 100,
      description: 'Calls with the answers that they must have, which `sluice endpoints test` makes.',
      items: object(
        'A call.',
        {
          name: text('What it shows.', { maxLength: 200 }),
          params: { type: 'object', description: 'The parameters of the call.' },
          first: count('Rows to ask for.', 1, 10_000),
          expect: object('Its answer.', {
            data: {
              type: 'array',
              items: { type: 'object' },
              description: 'The rows, each with at least these fields.',
            },
            count: count('How many rows there are.', 0, bounds.rows),
            error: object(
              'The error that it fails with.',
              { code: text('Such as BAD_USER_INPUT.'), param: text('The parameter to blame.') },
              ['code'],
            ),
          }),
        },
        ['name', 'expect'],
      ),
    },
  },
};
