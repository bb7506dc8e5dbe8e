import { parseDuration } from '#base/duration.ts';
import { AppError, messageOf, type Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { checkConfig } from '#connectors/check-config.ts';
import { bounds, declarationSchema, defaults } from './declaration-schema.ts';
import type { Declaration, Example, ParamDeclaration } from './declaration.ts';
import { collisions, graphqlName, typeNames } from './names.ts';
import { allowedValues, compiled, paramsOfJson, readValue } from './read-params.ts';
import { prepare, unmatched } from './statement.ts';

/** Names in a URL that say how to answer, and are no parameters. */
export const reservedParams = ['first', 'after', 'last', 'before', 'format'] as const;

/**
 * Everything wrong with a declaration that can be known without its datastore, each with its path in it. A declaration
 * without problems can be cast to Declaration.
 */
export function checkDeclaration(declaration: unknown): Problem[] {
  const problems = [
    ...checkTexts(declaration, []),
    ...checkConfig(declarationSchema, declaration, ['endpoint']).map(withoutPrefix),
  ];
  if (problems.length > 0) return problems;
  const checked = declaration as Declaration;
  const { params = [] } = checked;
  return [
    ...params.flatMap((param, index) => checkParam(param, ['params', String(index)], params.slice(0, index))),
    ...checkNames(checked),
    ...checkQuery(checked),
    ...checkServing(checked),
    ...(checked.examples ?? []).flatMap((example, index) =>
      checkExample(checked, example, ['examples', String(index)]),
    ),
  ];
}

/** Neither PostgreSQL nor the JSON of others holds every text that YAML can write. */
function checkTexts(value: unknown, path: readonly string[]): Problem[] {
  if (typeof value === 'string') {
    if (value.isWellFormed() && !value.includes('\0')) return [];
    const message = `${path.join('.')} holds the character U+0000 or half a surrogate pair, which no text here can.`;
    return [{ code: 'INVALID', path, message, fix: 'Leave the character out.' }];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [
    ...checkTexts(name, path),
    ...checkTexts(each, [...path, name]),
  ]);
}

/** Names that differ may be one in GraphQL: those of arguments, and those of the types that are made for them. */
function checkNames(declaration: Declaration): Problem[] {
  const { params = [] } = declaration;
  const inGraphql = [...reservedParams, ...new Set(params.map(({ name }) => name))];
  const types = typeNames(declaration);
  const twice = types.find((name, index) => types.indexOf(name) < index);
  return [
    ...collisions(
      inGraphql.filter((name, index) => inGraphql.indexOf(name) === index),
      graphqlName,
    ).map(([name, same]): Problem => ({
      code: 'NOT_UNIQUE',
      path: ['params'],
      message: `The parameters ${same.map((each) => `"${each}"`).join(' and ')} are one in GraphQL: ${name}.`,
      fix: 'Rename one.',
    })),
    ...(twice === undefined
      ? []
      : [
          {
            code: 'NOT_UNIQUE' as const,
            path: ['params'],
            message: `A parameter would be the type ${twice} in GraphQL, which the endpoint has already.`,
            fix: 'Rename the parameter.',
          },
        ]),
  ];
}

/** The fields of a declaration lie at its top. */
function withoutPrefix({ path, message, fix, ...problem }: Problem): Problem {
  const plain = (text: string) => text.replace(/^endpoint\./, '');
  return {
    ...problem,
    path: path.slice(1),
    message: plain(message),
    ...(fix !== undefined && { fix: plain(fix) }),
  };
}

function checkParam(
  param: ParamDeclaration,
  path: readonly string[],
  before: readonly ParamDeclaration[],
): Problem[] {
  const { name, type, list = false } = param;
  const problems: Problem[] = [];
  const wrong = (field: string, message: string, fix: string) =>
    problems.push({ code: 'INVALID', path: [...path, field], message, fix });
  if (before.some((other) => other.name === name))
    wrong('name', `There are two parameters "${name}".`, 'Rename one.');
  if ((reservedParams as readonly string[]).includes(name)) {
    wrong('name', `"${name}" says how to answer, and cannot be a parameter.`, 'Choose another name.');
  }
  const only = (fields: readonly (keyof ParamDeclaration)[], allowed: boolean, what: string) => {
    for (const field of fields) {
      if (param[field] !== undefined && !allowed)
        wrong(
          field,
          `${field} is for ${what}; "${name}" is ${list ? 'a list of ' : ''}${type}.`,
          `Leave ${field} out.`,
        );
    }
  };
  only(['pattern', 'minLength', 'maxLength'], type === 'string', 'strings');
  only(['minimum', 'maximum'], type === 'integer' || type === 'number', 'integers and numbers');
  only(['maxItems'], list, 'lists');
  for (const [low, high] of [
    ['minLength', 'maxLength'],
    ['minimum', 'maximum'],
  ] as const) {
    if ((param[low] ?? -Infinity) > (param[high] ?? Infinity))
      wrong(low, `${low} is more than ${high}.`, 'Swap them.');
  }
  if (param.pattern !== undefined && type === 'string') {
    try {
      compiled(param.pattern);
    } catch (error) {
      wrong(
        'pattern',
        `${param.pattern} cannot be used: ${messageOf(error)}`,
        'Use RE2 syntax: no lookaround and no back references.',
      );
    }
  }
  if (param.enum && allowedValues(param).length < param.enum.length) {
    wrong('enum', `Not all of ${param.enum.join(', ')} are of the type ${type}.`, 'Give values of the type.');
  }
  if (problems.length === 0) problems.push(...checkDefault(param, path));
  return problems;
}

function checkDefault(param: ParamDeclaration, path: readonly string[]): Problem[] {
  if (param.default === undefined) return [];
  if (param.required) {
    const message = `"${param.name}" is required and has a default.`;
    return [{ code: 'INVALID', path: [...path, 'default'], message, fix: 'Leave one of the two out.' }];
  }
  const read = readValue(param, param.default, 'json');
  return typeof read === 'object' && read !== null && 'problem' in read
    ? [{ ...read.problem, path: [...path, 'default'] }]
    : [];
}

function checkQuery({ query, params = [] }: Declaration): Problem[] {
  const path = ['query'];
  try {
    const { undeclared, unused } = unmatched(prepare(query, params));
    const names = params.map((param) => param.name);
    return [
      ...undeclared.map((name): Problem => {
        const meant = nearest(name, names);
        const fix =
          meant === undefined
            ? `Declare it in params, or write ": ${name}" if it is none.`
            : `Did you mean :${meant}?`;
        return {
          code: 'NOT_FOUND',
          path,
          message: `The query has :${name}, which params does not declare.`,
          fix,
        };
      }),
      ...unused.map((name): Problem => {
        const at = String(names.indexOf(name));
        return {
          code: 'INVALID',
          path: ['params', at, 'name'],
          message: `The query does not use :${name}.`,
          fix: 'Use it, or leave it out.',
        };
      }),
    ];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ code: 'INVALID', path, message: error.message, fix: error.fix }];
  }
}

function checkServing({ auth, limits, pagination, rateLimit }: Declaration): Problem[] {
  const problems: Problem[] = [];
  const wrong = (path: string[], message: string, fix: string) =>
    problems.push({ code: 'INVALID', path, message, fix });
  if (auth?.public && auth.scopes)
    wrong(['auth', 'scopes'], 'A public endpoint asks for no scopes.', 'Leave one of the two out.');
  const timeoutMs = limits?.timeout === undefined ? 1 : parseDuration(limits.timeout)!;
  if (timeoutMs < 1 || timeoutMs > bounds.timeoutMs) {
    wrong(
      ['limits', 'timeout'],
      `A timeout is 1ms to ${bounds.timeoutMs / 1_000}s, not ${limits!.timeout}.`,
      'Give a time within that.',
    );
  }
  if (rateLimit) problems.push(...checkRateLimit(rateLimit));
  if (auth?.public && rateLimit && rateLimit.by !== 'address') {
    wrong(['rateLimit', 'by'], 'Who calls a public endpoint has no key.', 'Count by address.');
  }
  const { pageSize = defaults.pageSize, pageSizeMax = defaults.pageSizeMax } = pagination ?? {};
  if (pageSize > pageSizeMax)
    wrong(
      ['pagination', 'pageSize'],
      `pageSize ${pageSize} is more than pageSizeMax ${pageSizeMax}.`,
      'Raise pageSizeMax.',
    );
  return problems;
}

function checkRateLimit({ requests, cost, per }: NonNullable<Declaration['rateLimit']>): Problem[] {
  const wrong = (field: string, message: string, fix: string): Problem => ({
    code: 'INVALID',
    path: ['rateLimit', field],
    message,
    fix,
  });
  const problems: Problem[] = [];
  const perMs = parseDuration(per)!;
  if (perMs < 1_000 || perMs > 86_400_000)
    problems.push(wrong('per', `Calls are counted over 1s to 1d, not ${per}.`, 'Give a time within that.'));
  const costMs = cost === undefined ? 1 : parseDuration(cost)!;
  if (costMs < 1 || costMs > bounds.costMs)
    problems.push(wrong('cost', `Calls may cost 1ms to 30d, not ${cost}.`, 'Give a time within that.'));
  if (requests !== undefined || cost !== undefined) return problems;
  const fix = 'Give requests, such as 100, or cost, such as 30s, or both.';
  return [
    ...problems,
    { ...wrong('requests', 'rateLimit has neither requests nor cost.', fix), code: 'REQUIRED' },
  ];
}

function checkExample(
  declaration: Declaration,
  { params, first, expect }: Example,
  path: string[],
): Problem[] {
  const problems: Problem[] = [];
  const wrong = (field: string[], message: string, fix: string) =>
    problems.push({ code: 'INVALID', path: [...path, ...field], message, fix });
  if (expect.error && (expect.data || expect.count !== undefined))
    wrong(['expect', 'error'], 'A call that fails has no rows.', 'Expect one of the two.');
  if (!expect.error && !expect.data && expect.count === undefined)
    wrong(['expect'], 'It expects nothing.', 'Expect data, count or error.');
  if (first !== undefined && !declaration.pagination)
    wrong(['first'], 'The endpoint has no pages.', 'Leave first out, or declare pagination.');
  if (expect.error) return problems;
  const read = paramsOfJson(declaration.params ?? [], params ?? {});
  return [
    ...problems,
    ...read.problems.map((problem) => ({ ...problem, path: [...path, 'params', ...problem.path] })),
  ];
}
