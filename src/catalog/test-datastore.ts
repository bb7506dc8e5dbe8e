import type { Viewer } from '#accounts/viewer.ts';
import { AppError, InputError, inputError } from '#base/errors.ts';
import type { DatastoreEngine } from '#generated/prisma/enums.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { checkDatastoreConfig, checkEngine } from './check-datastore.ts';
import type { CatalogDeps } from './deps.ts';

const deadlineMs = 30_000;

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
}

/** Runs a statement on a datastore, saved or not yet, and says whether it answered. Fails with InputError. */
export async function testDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: TestDatastoreInput,
): Promise<TestAnswer> {
  if (input.id == null) return testNew(input);
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

/** What is embedded is reached by nothing: whether the engine runs here is all that there is to try. */
async function testNew({ engine, config, signal }: TestDatastoreInput): Promise<TestAnswer> {
  if (engine == null) {
    const message = 'Neither id nor engine is given.';
    throw inputError('REQUIRED', ['id'], message, 'Give the id of a saved datastore, or engine and config.');
  }
  const ofEngine = checkEngine(engine);
  const problems = ofEngine.length > 0 ? ofEngine : checkDatastoreConfig(config ?? {});
  if (problems.length > 0) throw new InputError(problems);
  return answerOf(engine, signal, async () => {
    const warehouse = await openDuckDb({ path: ':memory:', allowedDirectories: [] });
    return { warehouse, close: () => warehouse[Symbol.asyncDispose]() };
  });
}

async function answerOf(
  name: string,
  signal: AbortSignal,
  open: () => Promise<{ warehouse: Warehouse; close: () => Promise<void> }>,
): Promise<TestAnswer> {
  try {
    const { warehouse, close } = await open();
    const startedAt = performance.now();
    try {
      await warehouse.run({ sql: 'SELECT 1' }, { signal, deadlineMs });
    } finally {
      await close();
    }
    return { ok: true, message: `${name} answered in ${Math.round(performance.now() - startedAt)} ms.` };
  } catch (error) {
    if (error instanceof AppError) return { ok: false, message: error.message };
    throw error;
  }
}
