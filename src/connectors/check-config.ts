import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { secretPaths } from './config-secrets.ts';
import type { ConfigSchema, Json } from './contract.ts';

type JsonObject = { [key: string]: Json };

const checking = openAjv(false);
const filling = openAjv(true);
const compiled = new WeakMap<Ajv, WeakMap<ConfigSchema, ValidateFunction>>();

/**
 * Everything wrong with a config, each with its path: unknown fields with what was probably meant, missing fields, wrong
 * types and values. Empty when the config can be used. No message holds a secret's value.
 */
export function checkConfig(
  spec: ConfigSchema,
  config: unknown,
  pathPrefix: readonly string[] = ['config'],
): Problem[] {
  const validate = validatorOf(checking, spec);
  if (validate(config)) return [];
  const secrets = secretPaths(spec);
  const problems = (validate.errors ?? []).flatMap((error) => problemOf(error, pathPrefix, secrets) ?? []);
  const key = (problem: Problem) => JSON.stringify([problem.path, problem.message]);
  return [...new Map(problems.map((problem) => [key(problem), problem])).values()];
}

/** A copy of the config with the schema's defaults where a field is left out. */
export function withDefaults<T>(spec: ConfigSchema, config: T): T {
  const filled = structuredClone(config);
  validatorOf(filling, spec)(filled);
  return filled;
}

function openAjv(useDefaults: boolean): Ajv {
  const ajv = new Ajv({
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    allErrors: true,
    verbose: true,
    useDefaults,
  });
  formats.default(ajv);
  ajv.addKeyword({ keyword: 'secret', schemaType: 'boolean' });
  return ajv;
}

function validatorOf(ajv: Ajv, spec: ConfigSchema): ValidateFunction {
  const known = compiled.get(ajv) ?? new WeakMap<ConfigSchema, ValidateFunction>();
  compiled.set(ajv, known);
  const validate = known.get(spec) ?? ajv.compile(spec);
  known.set(spec, validate);
  return validate;
}

/**
 * What one error of the schema check means to whoever wrote the config: the value, what is allowed, what to do.
 * Undefined for errors that only repeat others. Values in or around the dotted paths of `secrets` are never shown.
 */
function problemOf(error: ErrorObject, prefix: readonly string[], secrets: string[]): Problem | undefined {
  const at = error.instancePath.split('/').slice(1).map(unescapePointer);
  const field = [...prefix.slice(0, 1), ...at].join('.');
  const path = [...prefix, ...at];
  switch (error.keyword) {
    // Its branches report what is wrong themselves.
    case 'if':
      return undefined;
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return unknownField(error, path, field);
    case 'required':
    case 'dependentRequired':
      return missingField(error, path, field);
  }
  const given = isSecret(at, secrets) ? '' : `, not ${show(error.data)}`;
  const message = `${field} ${demand(error)}${given}.`;
  const about = text(error.parentSchema?.description);
  return { code: 'INVALID', path, message, ...(about === undefined ? {} : { fix: `${field}: ${about}` }) };
}

function unknownField(error: ErrorObject, path: string[], field: string): Problem {
  const name = String(error.params.additionalProperty ?? error.params.unevaluatedProperty);
  const allowed = Object.keys((error.parentSchema?.properties ?? {}) as JsonObject);
  const meant = nearest(name, allowed);
  return {
    code: 'INVALID',
    path: [...path, name],
    message: `${field}.${name} is not a known field. ${allowed.length === 0 ? 'No fields are allowed here.' : `Allowed: ${allowed.join(', ')}.`}`,
    fix: meant === undefined ? `Leave ${name} out.` : `Did you mean "${meant}"?`,
  };
}

function missingField(error: ErrorObject, path: string[], field: string): Problem {
  const name = String(error.params.missingProperty);
  const properties = (error.parentSchema?.properties ?? {}) as Record<string, JsonObject | undefined>;
  const about = text(properties[name]?.description) ?? text(properties[name]?.title);
  return {
    code: 'REQUIRED',
    path: [...path, name],
    message: `${field}.${name} is missing.`,
    fix: about === undefined ? `Give ${name}.` : `Give ${name}: ${about}`,
  };
}

const typeWords: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
};

/** What the schema asks of the value. */
function demand({ keyword, params, schema, message }: ErrorObject): string {
  const limit = Number(params.limit);
  switch (keyword) {
    case 'type':
      return `must be ${[params.type]
        .flat()
        .map((type: string) => typeWords[type] ?? type)
        .join(' or ')}`;
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`;
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return limit === 1 ? 'must not be an empty list' : `must have at least ${limit} items`;
    case 'maxItems':
      return `must have at most ${limit} items`;
    case 'uniqueItems':
      return 'must not name anything twice';
    case 'pattern':
      return `must match ${String(schema)}`;
    case 'format':
      return `must be a valid ${String(schema)}`;
    case 'oneOf':
    case 'anyOf':
      return 'must have one of its allowed forms';
    default:
      return message ?? 'cannot be used';
  }
}

/** True for a secret, for what holds one, and for what was put where a secret belongs. */
function isSecret(at: string[], secrets: string[]): boolean {
  const field = at.join('.');
  return secrets.some(
    (secret) => field === '' || `${secret}.`.startsWith(`${field}.`) || field.startsWith(`${secret}.`),
  );
}

const shownCharactersMax = 80;

function show(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  const shown = JSON.stringify(value) ?? typeof value;
  return shown.length <= shownCharactersMax
    ? shown
    : `${shown.slice(0, shownCharactersMax)}… (${shown.length} characters)`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}
