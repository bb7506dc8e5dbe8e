import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import type pg from 'pg';
import { AppError, messageOf } from '#base/errors.ts';
import { connect } from './connect.ts';
import { lockKey } from './hold-home.ts';
import { noFilter, withSchemaEngine } from './migration-engine.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
export const migrationsDir = path.join(root, 'prisma', 'migrations');
export const schemaDir = path.join(root, 'prisma', 'schema');

/**
 * Applies the migrations that the database lacks, each whole or not at all, and returns their names. Whoever comes
 * while another process is at it waits. Keeps the same records as `prisma migrate deploy`. Fails with an AppError,
 * changing nothing, for a database that a newer version migrated or in which a migration failed.
 */
export async function migrate(databaseUrl: string, dir: string = migrationsDir): Promise<string[]> {
  const migrations = await readMigrations(dir);
  const client = await connect(databaseUrl, 'sluice migrate');
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey('sluice migrate')]);
    const missing = await missingMigrations(client, migrations);
    if (missing.length === 0) return [];
    const { appliedMigrationNames } = await withSchemaEngine(databaseUrl, undefined, (engine) =>
      engine.applyMigrations({ migrationsList: listOf(dir, migrations), filters: noFilter }),
    );
    return appliedMigrationNames;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('INTERNAL', `The database could not be migrated: ${withoutTrace(messageOf(error))}`, {
      cause: error,
      fix: 'Put right what it names; see the table _prisma_migrations for what has been applied.',
    });
  } finally {
    await client.end();
  }
}

export interface Migration {
  name: string;
  sql: string;
}

/** The migrations of this version, oldest first. */
export async function readMigrations(dir: string = migrationsDir): Promise<Migration[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const read = (name: string) => readFile(path.join(dir, name, 'migration.sql'), 'utf8');
  return Promise.all(names.map(async (name) => ({ name, sql: await read(name) })));
}

/** The migrations as the engine takes them. */
export function listOf(dir: string, migrations: Migration[]): MigrationList {
  return {
    baseDir: dir,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}

/** Asked in SQL, so that the usual start, with nothing to do, need not load the engine. */
async function missingMigrations(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  const { rows: tables } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`,
  );
  if (!tables[0]?.found) return migrations;
  const { rows } = await client.query<{
    name: string;
    checksum: string;
    finished: boolean;
    logs: string | null;
  }>(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished, logs
     FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
  );
  const failed = rows.find((row) => !row.finished);
  if (failed) {
    throw new AppError(
      'CONFLICT',
      `The migration ${failed.name} failed in this database: ${withoutTrace(failed.logs ?? 'it was interrupted')}`,
      {
        fix: `Put right what it names, then run: npx prisma migrate resolve --rolled-back ${failed.name}, and start again.`,
      },
    );
  }
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  const unknown = rows.filter((row) => !known.has(row.name)).map((row) => row.name);
  if (unknown.length > 0) {
    throw new AppError(
      'CONFLICT',
      `The database has migrations that this version of Sluice does not know: ${unknown.join(', ')}.`,
      {
        fix: 'Start the newer version of Sluice that made them, or restore the backup from before the upgrade.',
      },
    );
  }
  const edited = rows.find((row) => row.checksum !== checksum(known.get(row.name)?.sql ?? ''));
  if (edited) {
    throw new AppError(
      'CONFLICT',
      `The migration ${edited.name} is not the one that was applied to this database.`,
      {
        fix: 'Put the file of that migration back as it was; a change needs a migration of its own.',
      },
    );
  }
  const applied = new Set(rows.map((row) => row.name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

/** What the engine says, without where in its code it says so. */
function withoutTrace(text: string): string {
  const own = text.split('\n').filter((line) => !/^\s+(\d+: |with |at )/.test(line));
  return own
    .join(' ')
    .replace(/^external connector error /, '')
    .trim();
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}
