import type { EntityFilter, PropertyFilter } from '#catalog/filter-sql.ts';
import type { EntityKind, MetricKind } from '#generated/prisma/enums.ts';
import type { Aggregation, Grain } from '#warehouse/dialect.ts';

type Maybe<T> = T | null | undefined;

export interface Measure {
  aggregation: Aggregation;
  /** A path of the rows; needed by all but COUNT. */
  column?: Maybe<string>;
  /** 0 to 1, of PERCENTILE alone. */
  percentile?: Maybe<number>;
}

/** A number over the rows of an entity or a table. */
export interface SimpleDefinition {
  entity?: Maybe<EntityKind>;
  /** datastore.database.schema.table */
  table?: Maybe<string>;
  /** The column that grains cut; of an entity its own time when left out. */
  time?: Maybe<string>;
  measure: Measure;
  filter?: Maybe<readonly PropertyFilter[]>;
  /** What it may be asked by; anything the rows have when left out. */
  dimensions?: Maybe<readonly string[]>;
}

export interface RatioDefinition {
  numerator: string;
  denominator: string;
}

export interface DerivedDefinition {
  expression: string;
}

/** A window of so many grains, or from each start of resetGrain, or since ever. */
export interface CumulativeDefinition {
  metric: string;
  windowCount?: Maybe<number>;
  windowGrain?: Maybe<Grain>;
  resetGrain?: Maybe<Grain>;
}

/** Users who did first and then second within the window, over users who did first. */
export interface ConversionDefinition {
  first: EntityFilter;
  second: EntityFilter;
  windowCount: number;
  windowGrain: Grain;
}

/** As given and as stored: exactly one of the fields is there. */
export interface MetricDefinition {
  simple?: Maybe<SimpleDefinition>;
  ratio?: Maybe<RatioDefinition>;
  derived?: Maybe<DerivedDefinition>;
  cumulative?: Maybe<CumulativeDefinition>;
  conversion?: Maybe<ConversionDefinition>;
}

/** A definition with its kind told, for code that asks what it is. */
export type KnownDefinition =
  | { kind: 'SIMPLE'; simple: SimpleDefinition }
  | { kind: 'RATIO'; ratio: RatioDefinition }
  | { kind: 'DERIVED'; derived: DerivedDefinition }
  | { kind: 'CUMULATIVE'; cumulative: CumulativeDefinition }
  | { kind: 'CONVERSION'; conversion: ConversionDefinition };

/** What the definition is; null when it gives none of the kinds, or more than one. */
export function knownDefinition(definition: MetricDefinition): KnownDefinition | null {
  const { simple, ratio, derived, cumulative, conversion } = definition;
  const given: KnownDefinition[] = [];
  if (simple != null) given.push({ kind: 'SIMPLE', simple });
  if (ratio != null) given.push({ kind: 'RATIO', ratio });
  if (derived != null) given.push({ kind: 'DERIVED', derived });
  if (cumulative != null) given.push({ kind: 'CUMULATIVE', cumulative });
  if (conversion != null) given.push({ kind: 'CONVERSION', conversion });
  return given.length === 1 ? (given[0] as KnownDefinition) : null;
}

/** The kind of a definition that checkDefinition found nothing wrong with. */
export function kindOf(definition: MetricDefinition): MetricKind {
  const known = knownDefinition(definition);
  if (known) return known.kind;
  throw new Error('A metric must be of exactly one kind.');
}

/** The definition as it is stored: its one field, times as text. */
export function storedDefinition(definition: MetricDefinition): object {
  const given = Object.entries(definition).filter(([, value]) => value != null);
  return JSON.parse(JSON.stringify(Object.fromEntries(given))) as object;
}

const timeFields = ['at', 'createdAt'];

/** A stored definition as it is worked with: the times of its filters are Dates again. */
export function readDefinition(stored: unknown): MetricDefinition {
  return revive(stored, false) as MetricDefinition;
}

function revive(value: unknown, isTime: boolean): unknown {
  if (typeof value === 'string') return isTime ? new Date(value) : value;
  if (Array.isArray(value)) return value.map((each) => revive(each, false));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      timeFields.includes(name) && typeof each === 'object' && each !== null
        ? Object.fromEntries(Object.entries(each).map(([op, moment]) => [op, revive(moment, true)]))
        : revive(each, false),
    ]),
  );
}
