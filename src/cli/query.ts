import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import {
  type DocumentNode,
  getOperationAST,
  GraphQLError,
  type GraphQLFormattedError,
  OperationTypeNode,
  parse,
  print,
  separateOperations,
} from 'graphql';
import { AppError, messageOf } from '#base/errors.ts';
import { readClientConfig } from '#config.ts';
import { answerTo, type ClientOptions, errorOf, openClient } from './client.ts';
import { UsageError, type Typed } from './command.ts';
import { onceAPress } from './once-a-press.ts';
import { plain } from './watch-task.ts';

interface Asked {
  document: DocumentNode;
  variables: object;
}

/**
 * Asks the gateway one GraphQL operation and prints its data as JSON; of a subscription each event, a line each. Gives 1
 * when something failed or was refused by userErrors, 130 when a subscription was left. Fails with AppError or UsageError.
 */
export async function runQuery({ arguments: [given = ''], flags }: Typed): Promise<number> {
  const options = readClientConfig(process.env);
  const variables = await variablesOf(flags['variables']);
  const document = operationOf(await textOf(given), flags['operation']);
  const asked = { document, variables };
  const operation = getOperationAST(document)?.operation;
  return operation === OperationTypeNode.SUBSCRIPTION ? follow(options, asked) : ask(options, asked);
}

async function ask(options: ClientOptions, { document, variables }: Asked): Promise<number> {
  const { data, errors = [] } = await answerTo(options, print(document), variables);
  if (data != null) process.stdout.write(`${jsonOf(data, 2)}\n`);
  for (const error of errors) process.stderr.write(`${problemOf(error)}\n`);
  return errors.length > 0 || isRefused(data) ? 1 : 0;
}

async function follow(options: ClientOptions, { document, variables }: Asked): Promise<number> {
  await using client = openClient(options);
  const leaving = new AbortController();
  const leave = onceAPress(() => leaving.abort());
  process.on('SIGINT', leave);
  try {
    for await (const event of client.follow<unknown, object>(document, variables, leaving.signal)) {
      process.stdout.write(`${jsonOf(event)}\n`);
    }
    return leaving.signal.aborted ? 130 : 0;
  } finally {
    process.off('SIGINT', leave);
  }
}

/** What was typed, or with "@" what the file holds, or for "-" what comes on standard input. */
async function textOf(given: string): Promise<string> {
  if (given === '-') return await text(process.stdin);
  if (!given.startsWith('@')) return given;
  try {
    return await readFile(given.slice(1), 'utf8');
  } catch (error) {
    throw new AppError('BAD_USER_INPUT', `The file "${given.slice(1)}" cannot be read: ${messageOf(error)}.`);
  }
}

async function variablesOf(given: string | boolean | undefined): Promise<object> {
  if (given === undefined) return {};
  try {
    const variables: unknown = JSON.parse(await textOf(String(given)));
    if (typeof variables === 'object' && variables !== null && !Array.isArray(variables)) return variables;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UsageError('--variables is no JSON object.', `Write it as '{"name": "active_users"}'.`);
}

/** The operation that is meant, with its fragments. The gateway says what is wrong inside of it. */
function operationOf(source: string, name: string | boolean | undefined): DocumentNode {
  const document = parsed(source);
  const operations = separateOperations(document);
  const names = Object.keys(operations);
  if (names.length === 0) {
    throw new AppError('BAD_USER_INPUT', 'The document holds no operation.', {
      fix: 'Write one, such as: { jobs { nodes { name } } }',
    });
  }
  const chosen = name === undefined && names.length === 1 ? names[0]! : String(name ?? '');
  const operation = Object.hasOwn(operations, chosen) ? operations[chosen] : undefined;
  if (operation !== undefined) return operation;
  throw new AppError(
    'BAD_USER_INPUT',
    name === undefined
      ? `The document holds ${names.length} operations.`
      : `The document holds no operation "${chosen}".`,
    { fix: `Choose one by --operation: ${names.join(', ')}.` },
  );
}

function parsed(source: string): DocumentNode {
  try {
    return parse(source);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const [at] = error.locations ?? [];
    const place = at === undefined ? '' : ` (line ${at.line}, column ${at.column})`;
    throw new AppError('BAD_USER_INPUT', `The document cannot be read: ${error.message}${place}`);
  }
}

/** Whether a mutation in it answers with userErrors. */
function isRefused(data: object | null | undefined): boolean {
  return Object.values(data ?? {}).some((payload: unknown) => {
    const { userErrors } = (payload ?? {}) as { userErrors?: unknown };
    return Array.isArray(userErrors) && userErrors.length > 0;
  });
}

function problemOf(error: GraphQLFormattedError): string {
  const { message, fix } = errorOf(error);
  const place = error.path === undefined ? '' : `${error.path.join('.')}: `;
  return [`${place}${message}`, ...(fix === undefined ? [] : [fix])].map(plain).join('\n');
}

/** Data comes from other systems: control characters that JSON lets pass are escaped too. */
function jsonOf(data: unknown, indent?: number): string {
  const escape = (each: string) => `\\u${each.codePointAt(0)!.toString(16).padStart(4, '0')}`;
  return JSON.stringify(data, null, indent).replaceAll(/[\u007f-\u009f]/g, escape);
}
