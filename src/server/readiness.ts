import { messageOf } from '#base/errors.ts';
import type { App } from '#app.ts';
import { type Exchange, sendJson } from './exchange.ts';

const storeMs = 2_000;

/** The process lives: nothing else is looked at, so that a store that is away does not get the process restarted. */
export function answerHealth(exchange: Exchange): void {
  sendJson(exchange, 200, { status: 'ok' });
}

/** Whether to send requests here: 503 with every reason against it. */
export async function answerReady(exchange: Exchange, app: App, stopping: AbortSignal): Promise<void> {
  const reasons = stopping.aborted ? ['The server is stopping.'] : await reasonsAgainst(app);
  sendJson(exchange, reasons.length > 0 ? 503 : 200, {
    status: reasons.length > 0 ? 'not ready' : 'ready',
    ...(reasons.length > 0 && { reasons }),
  });
}

async function reasonsAgainst(app: App): Promise<string[]> {
  const timer = Promise.withResolvers<never>();
  const deadline = setTimeout(() => timer.reject(new Error(`no answer within ${storeMs} ms`)), storeMs);
  try {
    await Promise.race([app.store.db.$queryRaw`SELECT 1 FROM project LIMIT 1`, timer.promise]);
    return [];
  } catch (error) {
    return [`The store does not answer: ${messageOf(error)}`];
  } finally {
    clearTimeout(deadline);
  }
}
