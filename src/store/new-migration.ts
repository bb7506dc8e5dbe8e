import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLog } from '#base/log.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrate, migrationsDir, schemaDir } from './migrate.ts';
import { noFilter, withSchemaEngine } from './migration-engine.ts';

/** The files of prisma/schema as the engine takes them. */
export async function readSchema(dir: string = schemaDir): Promise<{ path: string; content: string }[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.prisma')).sort();
  return Promise.all(
    names.map(async (name) => ({
      path: path.join(dir, name),
      content: await readFile(path.join(dir, name), 'utf8'),
    })),
  );
}

/** The SQL that makes the database's schema that of prisma/schema. Empty when it is. */
export async function differenceTo(databaseUrl: string): Promise<string> {
  const files = await readSchema();
  const { stdout } = await withSchemaEngine(
    databaseUrl,
    files.map((file) => [file.path, file.content]),
    (engine) =>
      engine.diff({
        from: { tag: 'schemaDatasource', files, configDir: schemaDir },
        to: { tag: 'schemaDatamodel', files },
        script: true,
        exitCode: null,
        filters: noFilter,
      }),
  );
  const sql = (stdout ?? '').trim();
  return sql === '-- This is an empty migration.' ? '' : sql;
}

/** Writes prisma/migrations/<now>_<name>/migration.sql with what prisma/schema has and the migrations lack. */
async function newMigration(name: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-new-migration-'));
  const server = await startEmbeddedPostgres({
    folder: path.join(folder, 'postgres'),
    log: createLog('warn'),
  });
  try {
    await migrate(server.url('postgres'));
    const sql = await differenceTo(server.url('postgres'));
    if (sql === '') return 'prisma/schema is what the migrations make: nothing to write.';
    const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
    const file = path.join(migrationsDir, `${stamp}_${name}`, 'migration.sql');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, `${sql}\n`);
    return `Written: ${file}. Read it, and add by hand what Prisma cannot say (partial indexes).`;
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const name = process.argv[2];
  if (!name?.match(/^[a-z][a-z0-9_]*$/)) {
    process.stderr.write('Usage: node src/store/new-migration.ts name_of_what_changes (a-z, 0-9 and _)\n');
    process.exitCode = 1;
  } else {
    process.stdout.write(`${await newMigration(name)}\n`);
  }
}
