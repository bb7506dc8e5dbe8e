import { isSignUpOpen } from '#accounts/sign-up.ts';
import { openApp, type App } from '#app.ts';
import { readConfig } from '#config.ts';
import { serve } from '#server/serve.ts';
import { takeSignals } from './until-stopped.ts';

/** Threads of libuv that Sluice wants: queries of DuckDB hold one each, and files and DNS need some too. */
const threadsWanted = 16;

/** Serves until a signal asks it to end. Fails with AppError when the store or the port cannot be had. */
export async function runServe(): Promise<number> {
  const config = readConfig(process.env);
  const stop = takeSignals();
  await using app = await openApp(config, 'serve');
  warnOfThreads(app);
  await using server = await serve(app, { host: config.host, port: config.port });
  process.stdout.write(`Sluice is ready at ${server.url}/graphql\n`);
  await sayHowToSignUp(app, server.url);
  const signal = await stop.asked;
  process.stdout.write(`${signal}: ending. Running tasks are handed back; once more ends at once.\n`);
  return 0;
}

/** The size of the pool is fixed when the process starts: it can only be told. */
function warnOfThreads(app: App): void {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  if (threads >= threadsWanted) return;
  app.log.warn('UV_THREADPOOL_SIZE is low: queries that run at once hold up files and each other', {
    threads,
    fix: `Start with UV_THREADPOOL_SIZE=${threadsWanted}, or by "npm start" or "sluice serve", which set it.`,
  });
}

async function sayHowToSignUp(app: App, url: string): Promise<void> {
  if (app.config.signUp !== 'first' || !(await isSignUpOpen(app.accounts))) return;
  const mutation =
    'mutation { signUp(input: { email: "you@example.com", username: "you", password: "at least 10 characters" })';
  process.stdout.write(
    [
      'Nobody has signed up yet. The first to do so owns this Sluice:',
      `open ${url}/graphql in a browser and run`,
      `  ${mutation} { token userErrors { message fix } } }`,
      'or run "npm run demo" for a project with data in it.',
      '',
    ].join('\n'),
  );
}
