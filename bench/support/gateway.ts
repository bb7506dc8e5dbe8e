import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signUp } from '#accounts/sign-up.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { type App, openApp } from '#app.ts';
import { readConfig } from '#config.ts';
import { serve } from '#server/serve.ts';

export interface BenchGateway extends AsyncDisposable {
  app: App;
  url: string;
  viewer: Viewer;
  token: string;
}

/**
 * A gateway in this very process, over an embedded PostgreSQL in a folder of its own, with one member signed up. `more` are
 * further settings, by the names of their variables.
 */
export async function openBenchGateway(more: Record<string, string> = {}): Promise<BenchGateway> {
  await using opening = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  const config = readConfig({
    SLUICE_HOME: home,
    SLUICE_PORT: '0',
    SLUICE_WORKERS: '0',
    SLUICE_FILES_ROOT: join(home, 'files'),
    SLUICE_LOG_LEVEL: 'warn',
    ...more,
  });
  const app = opening.use(await openApp(config, 'serve'));
  const { url } = opening.use(await serve(app, { host: '127.0.0.1', port: 0 }));
  const { viewer, token } = await signUp(app.accounts, {
    email: 'bench@example.com',
    username: 'bench',
    password: 'correct horse battery',
  });
  const opened = opening.move();
  return { app, url, viewer, token, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
