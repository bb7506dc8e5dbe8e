import { openApp } from '#app.ts';
import { AppError } from '#base/errors.ts';
import { readConfig } from '#config.ts';
import { takeSignals } from './until-stopped.ts';

/** Runs tasks until a signal asks it to end. Fails with AppError without a store to share. */
export async function runWorker(): Promise<number> {
  const config = readConfig(process.env);
  if (config.databaseUrl === undefined) {
    throw new AppError(
      'BAD_USER_INPUT',
      'A worker helps a gateway, and finds it by DATABASE_URL, which is not set.',
      {
        fix: 'Set DATABASE_URL to the PostgreSQL that "sluice serve" uses, with the same SLUICE_SECRET_KEY.',
      },
    );
  }
  if (config.workers === 0) {
    throw new AppError('BAD_USER_INPUT', 'SLUICE_WORKERS is 0: this worker would run nothing.', {
      fix: 'Set it to the number of tasks to run at once, or leave it out.',
    });
  }
  const stop = takeSignals();
  await using app = await openApp(config, 'worker');
  process.stdout.write(`Worker is ready: up to ${app.config.workers} tasks at once\n`);
  const signal = await stop.asked;
  process.stdout.write(`${signal}: ending. Running tasks are handed back; once more ends at once.\n`);
  return 0;
}
