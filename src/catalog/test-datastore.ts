import type { Viewer } from '#accounts/viewer.ts';
import { AppError, InputError, inputError, type Problem } from '#base/errors.ts';
import { checkConfig, withDefaults } from '#connectors/check-config.ts';
import type { Json } from '#connectors/contract.ts';
import type { DatastoreEngine } from '#generated/prisma/enums.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import { Unreachable } from '#warehouse/unreachable.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { checkEngine } from './check-datastore.ts';
import type { CatalogDeps } from './deps.ts';
import { configCheck, engineInfo, remoteEngines } from './engines.ts';

const deadlineMs = 30_000;

type JsonObject = { [field: string]: Json };

interface TestDatastoreInput {
  /** A saved datastore; without one, engine and config of something new. */
  id?: string | null | undefined;
  engine?: DatastoreEngine | null | undefined;
  config?: unknown;
  signal: AbortSignal;
}

interface TestAnswer {
  ok: boolean;
  message: string;
  /** Which setting is to blame. */
  problems?: readonly Problem[];
}

/** Runs a statement on a datastore, saved or not yet, and says whether it answered, or what it lacks. Fails with InputError. */
export async function testDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: TestDatastoreInput,
): Promise<TestAnswer> {
  if (input.id == null) return testNew(deps, input);
  const row = await deps.store.db.datastore.findFirst({
    where: { id: input.id, projectId: viewer.projectId, deletedAt: null },
  });
  if (!row) {
    throw inputError(
      'NOT_FOUND',
      ['id'],
      'There is no such datastore in this project.',
      'List them with the query datastores.',
    );
  }
  return answerOf(`${row.engine} "${row.name}"`, input.signal, async () => {
    const { warehouse } = await deps.datastores.open(viewer.projectId, row.name);
    return { warehouse, close: () => Promise.resolve() };
  });
}

async function testNew(
  deps: CatalogDeps,
  { engine, config, signal }: TestDatastoreInput,
): Promise<TestAnswer> {
  if (engine == null) {
    const message = 'Neither id nor engine is given.';
    throw inputError('REQUIRED', ['id'], message, 'Give the id of a saved datastore, or engine and config.');
  }
  const info = engineInfo(engine);
  const said = config ?? {};
  const problems = info ? checkConfig(info.spec, said) : checkEngine(engine);
  if (problems.length === 0) problems.push(...(configCheck(deps, engine)?.(said as JsonObject) ?? []));
  if (problems.length > 0) throw new InputError(problems);
  const remote = remoteEngines[engine];
  return answerOf(engine, signal, async () => {
    const warehouse = remote
      ? await remote.open(withDefaults(remote.spec, said as JsonObject), deps.datastores.reach)
      : // What is embedded is reached by nothing: whether the engine runs here is all that there is to try.
        await openDuckDb({ path: ':memory:', allowedDirectories: [] });
    return { warehouse, close: async () => warehouse[Symbol.asyncDispose]() };
  });
}

async function answerOf(
  name: string,
  signal: AbortSignal,
  open: () => Promise<{ warehouse: Warehouse; close: () => Promise<void> }>,
): Promise<TestAnswer> {
  try {
    const { warehouse, close } = await open();
    try {
      const startedAt = performance.now();
      const options = { signal, deadlineMs, tag: 'testDatastore' };
      await warehouse.run({ sql: 'SELECT 1' }, options);
      const answered = `${name} answered in ${Math.round(performance.now() - startedAt)} ms.`;
      const { lacks, note } = (await warehouse.examine?.(options)) ?? {
        lacks: [],
        note: null,
      };
      if (lacks.length === 0) return { ok: true, message: note === null ? answered : `${answered} ${note}` };
      return {
        ok: false,
        message: lacks.map(({ message }) => message).join(' '),
        problems: lacks.map(problemOf),
      };
    } finally {
      await close();
    }
  } catch (error) {
    if (error instanceof Unreachable)
      return { ok: false, message: error.message, problems: [problemOf(error)] };
    if (error instanceof AppError) return { ok: false, message: error.message };
    throw error;
  }
}

function problemOf({ path, message, fix }: Pick<Unreachable, 'path' | 'message' | 'fix'>): Problem {
  return { code: 'CONNECTION_FAILED', path: ['config', ...path], message, fix };
}
