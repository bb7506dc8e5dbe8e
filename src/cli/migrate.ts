import { createLog } from '#base/log.ts';
import { readConfig } from '#config.ts';
import { openStore } from '#store/open-store.ts';

/** Migrates the store and says what was applied. Fails with AppError, changing nothing. */
export async function runMigrate(): Promise<number> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const { databaseUrl, home } = config;
  await using store = await openStore({ databaseUrl, home, role: 'migrate', log });
  const { migrations } = store;
  const lines = migrations.map((name) => `Applied ${name}\n`);
  process.stdout.write(lines.length === 0 ? 'The store is up to date.\n' : lines.join(''));
  return 0;
}
