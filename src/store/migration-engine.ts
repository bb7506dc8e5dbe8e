import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import type pg from 'pg';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import { __wbg_set_wasm as takeExports } from '@prisma/schema-engine-wasm/schema_engine_bg';

/** Everything in the database's schema is Sluice's own: nothing is left out of a diff. */
export const noFilter = { externalTables: [], externalEnums: [] };

/** Runs `use` with Prisma's schema engine over one connection to the database, and closes both. */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  schema: [string, string][] | undefined,
  use: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  await loadEngine();
  await using adapters = new AsyncDisposableStack();
  const factory = bindMigrationAwareSqlAdapterFactory(atomicScripts(databaseUrl, adapters));
  const engine = await engineModule.SchemaEngine.new({ datamodels: schema }, () => {}, factory);
  try {
    return await use(engine);
  } finally {
    engine.free();
  }
}

let loaded: Promise<void> | undefined;

/** The little of WebAssembly that is used here: TypeScript declares it only beside the browser's whole DOM. */
interface WebAssembly {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
}

/** Compiles the engine once a process: 5 MB of WebAssembly, about 60 ms. */
function loadEngine(): Promise<void> {
  loaded ??= (async () => {
    const glue = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
    const bytes = await readFile(path.join(path.dirname(glue), 'schema_engine_bg.wasm'));
    const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssembly };
    const glueCode = { ...engineModule, ...unheldTimers() };
    const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': glueCode });
    takeExports(instance.exports);
    instance.exports['__wbindgen_start']();
  })();
  return loaded;
}

/** The engine never clears the 10 s timer of its lock: a process that only migrates would wait for it. */
function unheldTimers(): Record<string, (run: () => void, ms: number) => NodeJS.Timeout> {
  const names = Object.keys(engineModule).filter((name) => name.startsWith('__wbg_setTimeout_'));
  return Object.fromEntries(names.map((name) => [name, (run, ms) => setTimeout(run, ms >>> 0).unref()]));
}

/**
 * The Postgres adapter with three changes. A script runs as one simple query: whole or not at all, where the adapter's
 * own way splits at every semicolon, those in string literals too. And one connection does it all, so that the
 * engine's own session lock holds for everything that it does. And its own questions get answers that the adapter can read.
 */
function atomicScripts(
  databaseUrl: string,
  opened: AsyncDisposableStack,
): SqlMigrationAwareDriverAdapterFactory {
  const plain = new PrismaPg({ connectionString: databaseUrl, max: 1, application_name: 'sluice migrate' });
  const changed = async (connecting: Promise<SqlDriverAdapter>): Promise<SqlDriverAdapter> => {
    const adapter = (await connecting) as Awaited<ReturnType<typeof plain.connect>>;
    opened.defer(() => adapter.dispose());
    // Protected in its type; turns an error of PostgreSQL into one that the engine records with its text.
    const { onError } = adapter as unknown as { onError: (this: void, error: unknown) => never };
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script).catch(onError);
    };
    readChars(adapter);
    return adapter;
  };
  return {
    provider: plain.provider,
    adapterName: plain.adapterName,
    connect: () => changed(plain.connect()),
    connectToShadowDb: () => changed(plain.connectToShadowDb()),
  };
}

const charType = 18;
const textType = 25;

/** The engine asks for columns of the type "char", which this adapter refuses: it gets them as text, the engine as char. */
function readChars(adapter: Awaited<ReturnType<PrismaPg['connect']>>): void {
  const pool = adapter.underlyingDriver() as unknown as { query(asked: object): Promise<pg.QueryResult> };
  const queryRaw = adapter.queryRaw.bind(adapter);
  const query = pool.query.bind(pool);
  const charColumns = new WeakMap<unknown[], number[]>();
  pool.query = async (asked) => {
    const result = await query(asked);
    const fields = result.fields ?? [];
    charColumns.set(
      result.rows ?? [],
      [...fields.keys()].filter((index) => fields[index]?.dataTypeID === charType),
    );
    for (const field of fields) if (field.dataTypeID === charType) field.dataTypeID = textType;
    return result;
  };
  adapter.queryRaw = async (asked) => {
    const answer = await queryRaw(asked);
    for (const index of charColumns.get(answer.rows) ?? [])
      answer.columnTypes[index] = ColumnTypeEnum.Character;
    return answer;
  };
}
