import { RE2JS } from 're2js';
import { nearest } from '#base/nearest.ts';
import type { Problem } from '#base/errors.ts';
import { defaults } from './declaration-schema.ts';
import type { ParamDeclaration, ParamType } from './declaration.ts';

/** A value as it is bound. Dates are YYYY-MM-DD, datetimes ISO 8601 in UTC, uuids in small letters. */
export type ParamValue = string | number | bigint | boolean;

/** What a call gives, by the names of the declaration: null where it gives nothing and there is no default. */
export type ParamValues = ReadonlyMap<string, ParamValue | null | readonly ParamValue[]>;

export interface ReadParams {
  values: ParamValues;
  /** One for each wrong parameter, at its name. */
  problems: Problem[];
}

/** The parameters of a URL: a list is given by repeating its name. Reserved names are not the query's to have. */
export function paramsOfUrl(
  declared: readonly ParamDeclaration[],
  search: URLSearchParams,
  reserved: readonly string[],
): ReadParams {
  const given: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const problems: Problem[] = [];
  for (const [name, pairs] of Map.groupBy(search, ([key]) => key)) {
    if (reserved.includes(name)) continue;
    const texts = pairs.map(([, text]) => text);
    const param = declared.find((each) => each.name === name);
    if (param && !param.list && texts.length > 1) {
      const message = `${name} is given ${texts.length} times; it takes one value.`;
      problems.push({ code: 'INVALID', path: [name], message, fix: `Give ${name} once.` });
    }
    given[name] = param?.list ? texts : texts[0];
  }
  const read = readParams(declared, given, 'text', reserved);
  const blamed = new Set(problems.map(({ path }) => path[0]));
  return { ...read, problems: [...problems, ...read.problems.filter(({ path }) => !blamed.has(path[0]))] };
}

/** The parameters of a call in GraphQL or an example: JSON's values, null as left out. */
export function paramsOfJson(
  declared: readonly ParamDeclaration[],
  given: { readonly [name: string]: unknown },
): ReadParams {
  return readParams(declared, given, 'json', []);
}

function readParams(
  declared: readonly ParamDeclaration[],
  given: { readonly [name: string]: unknown },
  from: 'text' | 'json',
  reserved: readonly string[],
): ReadParams {
  const values = new Map<string, ParamValue | null | readonly ParamValue[]>();
  const problems = Object.keys(given)
    .filter((name) => !declared.some((param) => param.name === name))
    .slice(0, unknownMax)
    .map((name) => unknownParam(name, [...declared.map((param) => param.name), ...reserved]));
  for (const param of declared) {
    const raw = Object.hasOwn(given, param.name) ? given[param.name] : undefined;
    const read = raw === undefined || raw === null ? leftOut(param) : readValue(param, raw, from);
    if (typeof read === 'object' && read !== null && 'problem' in read) problems.push(read.problem);
    else values.set(param.name, read);
  }
  return { values, problems };
}

/** A URL holds thousands of names: each would cost a search for what was meant, and a line of the answer. */
const unknownMax = 10;

function unknownParam(name: string, allowed: readonly string[]): Problem {
  const shown = show(name);
  const meant = nearest(name.slice(0, 100), allowed);
  return {
    code: 'INVALID',
    path: [name.slice(0, 100)],
    message: `${shown} is no parameter. ${allowed.length === 0 ? 'There are none.' : `There are: ${allowed.join(', ')}.`}`,
    fix: meant === undefined ? 'Leave it out.' : `Did you mean ${meant}?`,
  };
}

type Read = ParamValue | null | readonly ParamValue[] | { problem: Problem };

function leftOut(param: ParamDeclaration): Read {
  if (param.default !== undefined) return readValue(param, param.default, 'json');
  if (!param.required) return param.list ? [] : null;
  const fix = `Give ${param.name}: ${wordsOf(param)}.`;
  return { problem: { code: 'REQUIRED', path: [param.name], message: `${param.name} is missing.`, fix } };
}

/** What is bound where a call leaves the parameter out; null without a default. */
export function defaultOf(param: ParamDeclaration): ParamValue | null | readonly ParamValue[] {
  if (param.default === undefined) return null;
  const read = readValue(param, param.default, 'json');
  // A declaration whose default is wrong is not served.
  return typeof read === 'object' && read !== null && 'problem' in read ? null : read;
}

/** A value, or a list of them, as it is bound. */
export function readValue(param: ParamDeclaration, raw: unknown, from: 'text' | 'json'): Read {
  if (!param.list) return readScalar(param, raw, from);
  const max = param.maxItems ?? defaults.maxItems;
  if (!Array.isArray(raw)) return wrong(param, raw, 'must be a list');
  if (raw.length > max) return wrong(param, raw, `takes ${max} values at most`);
  const values: ParamValue[] = [];
  for (const each of raw as readonly unknown[]) {
    const read = readScalar(param, each, from);
    if (typeof read === 'object') return read;
    values.push(read);
  }
  return values;
}

function readScalar(
  param: ParamDeclaration,
  raw: unknown,
  from: 'text' | 'json',
): ParamValue | { problem: Problem } {
  const value =
    typeof raw === 'string' ? readers[param.type](raw) : from === 'json' ? ofJson(param.type, raw) : null;
  if (value === null) {
    const read = wrong(param, raw, `must be ${words[param.type]}`);
    if (from === 'text' && isMomentWithoutPlus(param, raw))
      read.problem.fix = 'Write "+" as %2B: in a URL it is a space.';
    return read;
  }
  const lacking = lackOf(param, value);
  return lacking === null ? value : wrong(param, raw, lacking);
}

const words: Record<ParamType, string> = {
  string: 'text without the character NUL',
  integer: 'a whole number of 64 bits',
  number: 'a number',
  boolean: 'true or false',
  date: 'a day, as YYYY-MM-DD',
  datetime: 'an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z',
  uuid: 'a UUID',
};

const integerMax = 2n ** 63n - 1n;

function integerOf(value: bigint): bigint | null {
  return value >= -integerMax - 1n && value <= integerMax ? value : null;
}

const readers: Record<ParamType, (text: string) => ParamValue | null> = {
  // PostgreSQL cannot hold NUL, and half a surrogate pair is no text for any engine.
  string: (text) => (text.includes('\0') || !text.isWellFormed() ? null : text),
  integer: (text) => (/^-?(0|[1-9]\d{0,18})$/.test(text) ? integerOf(BigInt(text)) : null),
  number: (text) =>
    /^-?(0|[1-9]\d{0,300})(\.\d{1,300})?([eE][+-]?\d{1,3})?$/.test(text) ? finite(Number(text)) : null,
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : null),
  date: (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) && isDay(text) ? text : null),
  datetime: readMoment,
  uuid: (text) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : null),
};

function ofJson(type: ParamType, raw: unknown): ParamValue | null {
  if (type === 'boolean') return typeof raw === 'boolean' ? raw : null;
  if (type === 'number') return typeof raw === 'number' ? finite(raw) : null;
  if (type !== 'integer') return null;
  if (typeof raw === 'bigint') return integerOf(raw);
  return Number.isSafeInteger(raw) ? BigInt(raw as number) : null;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Whether the calendar has it: 2026-02-30 it has not, nor has SQL the year 0. */
function isDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !text.startsWith('0000') && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

/** To the microsecond, as engines keep moments. */
function readMoment(text: string): string | null {
  const [, day, time, fraction = '', offset] =
    /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/.exec(
      text,
    ) ?? [];
  if (day === undefined || !isDay(day)) return null;
  const moment = new Date(`${day}T${time}${offset!.toUpperCase()}`);
  if (Number.isNaN(moment.getTime()) || moment.getUTCFullYear() < 1 || moment.getUTCFullYear() > 9999)
    return null;
  const digits = fraction.slice(0, 6);
  return `${moment.toISOString().slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z`;
}

function isMomentWithoutPlus({ type }: ParamDeclaration, raw: unknown): boolean {
  return type === 'datetime' && readMoment(String(raw).replace(/ (?=\d\d:\d\d$)/, '+')) !== null;
}

/** What the declaration asks for beyond the type; null when the value has it. */
function lackOf(param: ParamDeclaration, value: ParamValue): string | null {
  const { minimum, maximum, minLength = 0, maxLength = defaults.maxLength } = param;
  if (param.enum && !allowedValues(param).includes(value)) return `must be one of ${param.enum.join(', ')}`;
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (minimum !== undefined && value < minimum) return `must be at least ${minimum}`;
    if (maximum !== undefined && value > maximum) return `must be at most ${maximum}`;
  }
  if (param.type !== 'string') return null;
  const length = charactersOf(value as string);
  if (length < minLength) return `must have at least ${minLength} characters`;
  if (length > maxLength) return `must have at most ${maxLength} characters`;
  if (param.pattern !== undefined && !compiled(param.pattern).matches(value as string)) {
    return `must match ${param.pattern}`;
  }
  return null;
}

/** As engines count them: a character beyond U+FFFF is one. */
function charactersOf(text: string): number {
  let count = 0;
  for (const _character of text) count += 1;
  return count;
}

/** The values of an enum as they are bound: one that the type cannot hold is none. */
export function allowedValues(param: ParamDeclaration): ParamValue[] {
  const read = (raw: unknown) =>
    typeof raw === 'string' ? readers[param.type](raw) : ofJson(param.type, raw);
  return (param.enum ?? []).flatMap((raw) => read(raw) ?? []);
}

const patterns = new Map<string, RE2JS>();

/** In linear time, whatever the pattern: it is asked of what anybody may send. Fails for what it cannot read. */
export function compiled(pattern: string): RE2JS {
  const found = patterns.get(pattern) ?? RE2JS.compile(pattern);
  if (patterns.size > 10_000) patterns.clear();
  patterns.set(pattern, found);
  return found;
}

/** What a parameter takes, for people. */
export function wordsOf(param: ParamDeclaration): string {
  const one = param.enum ? `one of ${param.enum.join(', ')}` : words[param.type];
  return param.list ? `a list, each ${one}` : one;
}

function wrong(param: ParamDeclaration, raw: unknown, lack: string): { problem: Problem } {
  return {
    problem: {
      code: 'INVALID',
      path: [param.name],
      message: `${param.name} ${lack}, not ${show(raw)}.`,
      fix: `Give ${wordsOf(param)}.`,
    },
  };
}

const shownMax = 80;

function show(raw: unknown): string {
  if (Array.isArray(raw)) return `a list of ${raw.length}`;
  if (typeof raw === 'bigint') return raw.toString();
  if (typeof raw === 'object' && raw !== null) return 'an object';
  const shown = JSON.stringify(raw) ?? typeof raw;
  return shown.length <= shownMax ? shown : `${shown.slice(0, shownMax)}…`;
}
