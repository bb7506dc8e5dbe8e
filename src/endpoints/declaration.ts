import type { Json } from '#connectors/contract.ts';

/*
 * An endpoint as a person declares it, in YAML or by mutation: SQL with typed parameters, and how it is served. What is left
 * out has the default that declaration-schema.ts states; `withDefaults` fills it in.
 */

export const paramTypes = ['string', 'integer', 'number', 'boolean', 'date', 'datetime', 'uuid'] as const;
export type ParamType = (typeof paramTypes)[number];

/** One value of a parameter, as JSON writes it: dates, times and uuids are strings, integers beyond 2^53 too. */
export type Scalar = string | number | boolean;

export interface ParamDeclaration {
  /** As the SQL writes it after the colon. */
  name: string;
  type: ParamType;
  description?: string;
  /** Takes several values, in the SQL as `IN (:name)`. */
  list?: boolean;
  /** A call without it is refused. */
  required?: boolean;
  /** Taken where a call leaves it out; without one that is NULL, or an empty list. */
  default?: Scalar | Scalar[];
  enum?: Scalar[];
  /** Of strings: a regular expression that the whole value fits, and its length in characters. */
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  /** Of integers and numbers. */
  minimum?: number;
  maximum?: number;
  /** Of lists: how many values at most. */
  maxItems?: number;
}

export type Scope = 'DATA_READ' | 'CONTROL_READ' | 'CONTROL_WRITE';

export interface Declaration {
  metadata: {
    name: string;
    description?: string;
    version: number;
    /** A team or person, for people. */
    owner?: string;
    tags?: string[];
  };
  /** The path below /api/v<version>: "/users/active". */
  route: string;
  /** The name of one of the project's datastores; the default warehouse without one. */
  datastore?: string;
  query: string;
  params?: ParamDeclaration[];
  auth?: { scopes?: Scope[]; public?: boolean };
  cache?: { ttl?: string; staleWhileRevalidate?: string };
  /** At least one of calls and of the datastore's time for them, in so much time. */
  rateLimit?: { requests?: number; cost?: string; per: string; by?: 'key' | 'member' | 'address' };
  limits?: { rows?: number; timeout?: string };
  /** Columns of the answer that together tell its rows apart, in the order that pages have. */
  pagination?: { key: string[]; pageSize?: number; pageSizeMax?: number };
  /** Calls with the answers that they must have; run by `sluice endpoints test`. */
  examples?: Example[];
}

export interface Example {
  name: string;
  params?: { [name: string]: Json };
  first?: number;
  expect: {
    /** The rows, each with at least these fields. */
    data?: { [field: string]: Json }[];
    /** How many rows there are. */
    count?: number;
    /** The error that the call fails with. */
    error?: { code: string; param?: string };
  };
}
