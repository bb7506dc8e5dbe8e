import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AppError, InputError, messageOf } from '#base/errors.ts';
import { sizeWords } from '#base/size-words.ts';
import { readClientConfig, readEndpointsFolder } from '#config.ts';
import { type EndpointFile, problemLine, readFolder } from '#endpoints/folder.ts';
import { runExamples } from '#endpoints/run-examples.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import { openClient } from './client.ts';
import { type Typed, UsageError } from './command.ts';
import { testEndpoint } from './documents.ts';
import { plain } from './watch-task.ts';

const fixturesName = 'fixtures.sql';

/** Checks, tests or describes data endpoints. Gives 1 when something is wrong. Fails with AppError or UsageError. */
export function runEndpoints({ arguments: [action = ''], flags }: Typed): Promise<number> {
  const folder =
    flags['folder'] === undefined ? readEndpointsFolder(process.env) : resolve(String(flags['folder']));
  switch (action) {
    case 'check':
      return check(folder, flags['gateway'] === true);
    case 'test':
      return test(folder, flags['fixtures'] === undefined ? undefined : String(flags['fixtures']));
    case 'openapi':
      return openApi(flags['out'] === undefined ? undefined : String(flags['out']));
    default:
      throw new UsageError(
        `"sluice endpoints" cannot ${JSON.stringify(action)}.`,
        'It can: check, test, openapi.',
      );
  }
}

async function check(folder: string, asksGateway: boolean): Promise<number> {
  const files = await filesOf(folder);
  const wrong = tellProblems(files) + (asksGateway ? await tellTests(files) : 0);
  const count = `${files.length} file${files.length === 1 ? '' : 's'}`;
  process.stdout.write(`${count}, ${wrong === 0 ? 'nothing wrong' : `${wrong} of them wrong`}\n`);
  return wrong === 0 ? 0 : 1;
}

/** How many of the files are wrong; what is wrong with them goes to standard error. */
function tellProblems(files: readonly EndpointFile[]): number {
  for (const { name, problems } of files) {
    for (const problem of problems) process.stderr.write(`${problemLine(name, problem)}\n`);
  }
  return files.filter(({ problems }) => problems.length > 0).length;
}

/** How many of the files the gateway's datastores refuse; what a call of the others reads goes to standard output. */
async function tellTests(files: readonly EndpointFile[]): Promise<number> {
  await using client = openClient(readClientConfig(process.env));
  let wrong = 0;
  for (const { name, declaration } of files) {
    if (!declaration) continue;
    const { testEndpoint: answer } = await client.ask(testEndpoint, { input: { declaration } });
    if (answer.userErrors.length > 0) wrong += 1;
    for (const { message, fix } of answer.userErrors) {
      process.stderr.write(`${name}: ${plain(message)}\n${fix == null ? '' : `  ${plain(fix)}\n`}`);
    }
    if (answer.readBytes != null) {
      process.stdout.write(`${name}: a call reads ${sizeWords(BigInt(answer.readBytes))}\n`);
    }
  }
  return wrong;
}

async function filesOf(folder: string): Promise<EndpointFile[]> {
  const files = await readFolder(folder);
  if (files.length > 0) return files;
  throw new AppError('NOT_FOUND', `There is no .yaml file in ${folder}.`, {
    fix: 'Name the folder with --folder, or in SLUICE_ENDPOINTS.',
  });
}

async function test(folder: string, fixtures: string | undefined): Promise<number> {
  const files = await filesOf(folder);
  let failed = tellProblems(files);
  let passed = 0;
  await using warehouse = await openDuckDb({ path: ':memory:', allowedDirectories: [] });
  await using session = await warehouse.session();
  const sql = await fixturesOf(folder, fixtures);
  await session.run(sql ?? 'SELECT 1').catch((error: unknown) => {
    throw new AppError('BAD_USER_INPUT', `The fixtures cannot be run: ${messageOf(error)}`);
  });
  for (const { name, declaration, placeOf } of files) {
    if (!declaration) continue;
    try {
      for (const result of await runExamples(warehouse, declaration)) {
        if (result.failures.length === 0) passed += 1;
        else failed += 1;
        const mark = result.failures.length === 0 ? '✓' : '✗';
        process.stdout.write(
          `${mark} ${name}: ${result.name}\n${result.failures.map((each) => `    ${each}\n`).join('')}`,
        );
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failed += 1;
      for (const problem of error.problems)
        process.stdout.write(`✗ ${problemLine(name, { ...problem, ...placeOf(problem.path) })}\n`);
    }
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  if (failed > 0 && sql === null)
    process.stderr.write(`No tables were made: there is no ${fixturesName} in ${folder}.\n`);
  return failed === 0 ? 0 : 1;
}

/** The SQL that makes the tables which the examples read; null where the folder has none. */
async function fixturesOf(folder: string, named: string | undefined): Promise<string | null> {
  const path = named ?? join(folder, fixturesName);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new AppError('BAD_USER_INPUT', `The fixtures "${path}" cannot be read: ${messageOf(error)}.`);
  }
}

async function openApi(out: string | undefined): Promise<number> {
  const { url, token } = readClientConfig(process.env);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/api/openapi.json`, { headers }).catch((error: unknown) => {
    throw new AppError('NOT_FOUND', `No gateway answers at ${url}: ${messageOf(error)}.`, {
      fix: 'Start it with "sluice serve", or say where it is in SLUICE_URL.',
    });
  });
  const document = (await response.json().catch(() => {
    throw new AppError('NOT_FOUND', `What answers at ${url} is no Sluice gateway.`, {
      fix: 'Say in SLUICE_URL where the gateway is.',
    });
  })) as { errors?: { message: string; fix?: string }[] };
  if (!response.ok) {
    const [error] = document.errors ?? [];
    const fix = response.status === 401 ? 'Put a session token or an API key into SLUICE_TOKEN.' : error?.fix;
    throw new AppError('UNAUTHENTICATED', error?.message ?? `The gateway answers ${response.status}.`, {
      fix,
    });
  }
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (out === undefined) process.stdout.write(text);
  else {
    await writeFile(out, text).catch((error: unknown) => {
      throw new AppError('BAD_USER_INPUT', `"${out}" cannot be written: ${messageOf(error)}.`);
    });
  }
  return 0;
}
