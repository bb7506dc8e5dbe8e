import { mkdtemp, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '#store/connect.ts';
import { migrate, migrationsDir, readMigrations } from '#store/migrate.ts';
import { differenceTo } from '#store/new-migration.ts';
import { createEmptyDatabase, createTestDatabase } from '../../support/database.ts';

const names = (await readMigrations()).map((migration) => migration.name);

/** The migrations of Sluice and one more. */
async function migrationsWith(name: string, sql: string): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'migrations-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await cp(migrationsDir, dir, { recursive: true });
  await mkdir(path.join(dir, name));
  await writeFile(path.join(dir, name, 'migration.sql'), sql);
  return dir;
}

async function rowsOf(url: string, sql: string): Promise<unknown[]> {
  const client = await connect(url, 'test');
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('the migrations make exactly the schema of prisma/schema', async () => {
  await using database = await createTestDatabase();
  expect(await differenceTo(database.url)).toBe('');
});

test('a difference between migrations and prisma/schema is seen', async () => {
  await using database = await createTestDatabase();
  await rowsOf(database.url, 'ALTER TABLE "source" DROP COLUMN "version"');
  expect(await differenceTo(database.url)).toContain(
    'ALTER TABLE "source" ADD COLUMN     "version" TEXT NOT NULL',
  );
});

test('two processes that migrate at once apply each migration once', async () => {
  await using database = await createEmptyDatabase();
  const applied = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(applied.flat()).toEqual(names);
  const rows = await rowsOf(database.url, 'SELECT migration_name AS name FROM _prisma_migrations');
  expect(rows).toEqual(names.map((name) => ({ name })));
});

test('a migrated database needs nothing more', async () => {
  await using database = await createTestDatabase();
  expect(await migrate(database.url)).toEqual([]);
});

test('a database that a newer version migrated is refused and left as it was', async () => {
  await using database = await createTestDatabase();
  const newer = await migrationsWith('29990101000000_from_the_future', 'CREATE TABLE future (id int)');
  expect(await migrate(database.url, newer)).toEqual(['29990101000000_from_the_future']);
  await expect(migrate(database.url)).rejects.toMatchObject({
    code: 'CONFLICT',
    message:
      'The database has migrations that this version of Sluice does not know: 29990101000000_from_the_future.',
    fix: expect.stringContaining('newer version'),
  });
});

test('a failed migration leaves nothing half done, says what to do, and is refused at the next start', async () => {
  await using database = await createTestDatabase();
  const sql = `CREATE TABLE half (text text DEFAULT 'a;b'); SELECT 1/0;`;
  const broken = await migrationsWith('29990101000000_broken', sql);
  await expect(migrate(database.url, broken)).rejects.toMatchObject({
    message: 'The database could not be migrated: Error querying the database: ERROR: division by zero',
  });
  expect(await rowsOf(database.url, `SELECT to_regclass('half') AS half`)).toEqual([{ half: null }]);
  await expect(migrate(database.url, broken)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('29990101000000_broken failed'),
    fix: expect.stringContaining('prisma migrate resolve --rolled-back 29990101000000_broken'),
  });
});

test('a migration that was changed after it was applied is refused', async () => {
  await using database = await createTestDatabase();
  const dir = await migrationsWith('29990101000000_later', 'CREATE TABLE later (id int)');
  await migrate(database.url, dir);
  await writeFile(path.join(dir, '29990101000000_later', 'migration.sql'), 'CREATE TABLE later (id bigint)');
  await expect(migrate(database.url, dir)).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('29990101000000_later is not the one that was applied'),
  });
});
