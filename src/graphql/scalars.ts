import { GraphQLError, Kind, print, type ValueNode } from 'graphql';
import type { Json } from '#connectors/contract.ts';
import { builder } from './builder.ts';

const dateTimePattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;
const datePattern = /^(\d{4})-(\d{2})-(\d{2})$/;
const wholePattern = /^-?(0|[1-9]\d*)$/;

/** Reads RFC 3339 with an offset. Fails with BAD_USER_INPUT for anything else, days that do not exist included. */
export function parseDateTime(value: unknown): Date {
  const match = typeof value === 'string' ? dateTimePattern.exec(value) : null;
  const isDay = match !== null && isRealDay(match[1], match[2], match[3]);
  const instant = isDay ? new Date(value as string) : null;
  if (instant === null || Number.isNaN(instant.getTime())) {
    throw refusal('DateTime', value, 'an RFC 3339 time with an offset, such as "2026-11-21T09:30:00Z"');
  }
  return instant;
}

/** Reads a calendar day. Fails with BAD_USER_INPUT for anything else, days that do not exist included. */
export function parseDate(value: unknown): string {
  const match = typeof value === 'string' ? datePattern.exec(value) : null;
  if (match === null || !isRealDay(match[1], match[2], match[3])) {
    throw refusal('Date', value, 'a day such as "2026-11-21"');
  }
  return value as string;
}

/** Reads a whole number of up to 64 bits: a safe JSON number, or digits in a string. Fails with BAD_USER_INPUT otherwise. */
export function parseBigInt(value: unknown): bigint {
  const isWhole =
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isSafeInteger(value)) ||
    (typeof value === 'string' && wholePattern.test(value));
  const whole = isWhole ? BigInt(value) : null;
  if (whole === null || BigInt.asIntN(64, whole) !== whole) {
    throw refusal(
      'BigInt',
      value,
      'a whole number of up to 64 bits: a JSON number up to 9007199254740991, or its digits in a string',
    );
  }
  return whole;
}

/** A JSON number while every reader keeps it exactly, else its digits. */
export function serializeBigInt(value: unknown): number | string {
  const whole = typeof value === 'bigint' ? value : parseBigInt(value);
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole.toString();
}

/** A literal as the JSON value it spells. Fails with BAD_USER_INPUT for enum names. */
export function jsonOfLiteral(node: ValueNode, variables: Record<string, unknown> | null | undefined): Json {
  switch (node.kind) {
    case Kind.NULL:
      return null;
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.LIST:
      return node.values.map((each) => jsonOfLiteral(each, variables));
    case Kind.OBJECT:
      // fromEntries defines keys instead of assigning them, so that "__proto__" is a key like any other.
      return Object.fromEntries(
        node.fields.map((field) => [field.name.value, jsonOfLiteral(field.value, variables)]),
      );
    case Kind.VARIABLE:
      return (variables?.[node.name.value] ?? null) as Json;
    case Kind.ENUM:
    default:
      throw refusal('JSON', node.value, 'a JSON value; put words in quotes');
  }
}

function isRealDay(year: string | undefined, month: string | undefined, day: string | undefined): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  date.setUTCFullYear(Number(year));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

function refusal(type: string, value: unknown, allowed: string): GraphQLError {
  const shown =
    JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? each.toString() : each)) ?? 'nothing';
  const short = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  return new GraphQLError(`${short} is not a ${type}: it takes ${allowed}.`, {
    extensions: { code: 'BAD_USER_INPUT' },
  });
}

function literalValue(node: ValueNode): unknown {
  if (node.kind === Kind.STRING || node.kind === Kind.BOOLEAN) return node.value;
  if (node.kind === Kind.NULL) return null;
  return print(node);
}

/** What engines give for most moments: a day that every month has, in UTC with microseconds. */
const instantPattern =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

/** A moment in UTC with milliseconds. Fails with BAD_USER_INPUT for what is none. */
export function serializeDateTime(value: unknown): string {
  if (typeof value === 'string' && instantPattern.test(value)) return `${value.slice(0, 23)}Z`;
  return (value instanceof Date ? value : parseDateTime(value)).toISOString();
}

builder.scalarType('DateTime', {
  description: 'A moment: RFC 3339. Answers are in UTC with milliseconds; inputs may have any offset.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: serializeDateTime,
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(literalValue(node)),
});

builder.scalarType('Date', {
  description: 'A calendar day without a time: "2026-11-21".',
  serialize: parseDate,
  parseValue: parseDate,
  parseLiteral: (node) => parseDate(literalValue(node)),
});

builder.scalarType('JSON', {
  description: 'Any JSON value: object, list, string, number, boolean or null.',
  serialize: (value) => value,
  parseValue: (value) => value as Json,
  parseLiteral: jsonOfLiteral,
});

builder.scalarType('BigInt', {
  description:
    'A whole number of up to 64 bits: a JSON number while it is safe (up to 9007199254740991), else its digits in a string.',
  serialize: serializeBigInt,
  parseValue: parseBigInt,
  parseLiteral: (node) => parseBigInt(literalValue(node)),
});
