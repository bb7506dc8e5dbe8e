import { createInterface } from 'node:readline';
import { openApp } from '#app.ts';
import { messageOf } from '#base/errors.ts';
import { readConfig, type Config } from '#config.ts';
import { serve } from '#server/serve.ts';
import { UsageError, type Typed } from './command.ts';
import { showDemo, showWayIn } from './demo/show.ts';
import { takeSignals } from './until-stopped.ts';

const eventsUnlessTold = 200_000;
const eventsMax = 100_000_000;

/**
 * Serves a gateway of the demo's own and fills it before the newcomer's eyes. Gives 1 when a sync failed and it was to
 * end after showing all, 130 when it was stopped before. Fails with AppError.
 */
export async function runDemo({ flags }: Typed): Promise<number> {
  const events = eventsOf(flags['events']);
  const config = demoConfig(process.env);
  const stop = takeSignals();
  const leaving = new AbortController();
  void stop.asked.then(() => leaving.abort());
  const say = (text: string) => void process.stdout.write(`${text}\n`);

  say(`Starting the gateway with its own PostgreSQL and DuckDB in ${config.home}`);
  await using app = await openApp(config, 'serve');
  await using server = await serve(app, { host: config.host, port: config.port });
  try {
    const { isWell, member } = await showDemo(app, server.url, { events, signal: leaving.signal, say });
    if (flags['once'] === true) return isWell ? 0 : 1;
    using _ = onEnter(() => showWayIn(app, server.url, member, say));
    say(
      process.stdin.isTTY ? 'Enter makes a new link. Ctrl-C ends the gateway.' : 'Ctrl-C ends the gateway.',
    );
    say(`${await stop.asked}: ending. Once more ends at once.`);
    return 0;
  } catch (error) {
    if (leaving.signal.aborted) return 130;
    throw error;
  }
}

/** Calls back for each line typed, where somebody can type. */
function onEnter(act: () => Promise<void>): Disposable {
  if (!process.stdin.isTTY) return { [Symbol.dispose]: () => {} };
  const typing = createInterface({ input: process.stdin });
  typing.on('line', () => {
    act().catch((error: unknown) => process.stderr.write(`${messageOf(error)}\n`));
  });
  return { [Symbol.dispose]: () => typing.close() };
}

/** A home of its own for each warehouse, so that trying the demo takes nothing from the Sluice that is set up later. */
function demoConfig(env: NodeJS.ProcessEnv): Config {
  const isPostgres = env['SLUICE_DEMO_WAREHOUSE'] === 'postgres';
  const config = readConfig({
    ...env,
    SLUICE_HOME: env['SLUICE_HOME'] || (isPostgres ? '.sluice-demo-postgres' : '.sluice-demo'),
    SLUICE_LOG_LEVEL: env['SLUICE_LOG_LEVEL'] || 'warn',
  });
  return { ...config, signUp: 'first', workers: Math.max(1, config.workers) };
}

function eventsOf(typed: string | boolean | undefined): number {
  if (typed === undefined) return eventsUnlessTold;
  const events = /^\d{1,9}$/.test(String(typed)) ? Number(typed) : NaN;
  if (events >= 1 && events <= eventsMax) return events;
  throw new UsageError(`--events is "${String(typed)}".`, 'Give a whole number from 1 to 100000000.');
}
