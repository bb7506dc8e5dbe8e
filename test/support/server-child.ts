import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long a server may take until it listens: less than a hook of the tests waits. */
const startMs = 50_000;

/** A server of the tests in a process of its own, and what it is told. */
export interface ServerChild<Command, Told> extends AsyncDisposable {
  /** host:port, where it listens. */
  host: string;
  /** What the server keeps files in, until it is disposed of. */
  folder: string;
  /** Answered in turn. Fails with what the server said when it has ended. */
  order(command: Command): Promise<Told>;
}

/**
 * Starts the file with the options and a folder as its one argument, and waits until it says at which port it listens. Fails,
 * with what it said on standard error, when it ends before that or takes too long.
 */
export async function startServerChild<Command extends object, Told>(
  file: string,
  options: object,
): Promise<ServerChild<Command, Told>> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-server-'));
  const child = fork(file, [JSON.stringify({ ...options, folder })], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-10_000);
  });
  const gone = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      reject(new Error(`The server ${file} ended with ${signal ?? code}:\n${said}`));
    });
  });
  // It is told to whoever waits for an answer.
  gone.catch(() => undefined);
  const answer = async (signal?: AbortSignal): Promise<unknown> => {
    const [message] = (await Promise.race([once(child, 'message', { signal }), gone])) as [unknown];
    return message;
  };
  const stop = async () => {
    // An orderly end would wait for statements that never end.
    child.kill('SIGKILL');
    await gone.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  const late = AbortSignal.timeout(startMs);
  const { port } = (await answer(late).catch(async (error: unknown): Promise<never> => {
    await stop();
    throw late.aborted
      ? new Error(`The server ${file} does not listen after ${startMs} ms:\n${said}`, { cause: error })
      : error;
  })) as { port: number };
  let last: Promise<unknown> = Promise.resolve();
  return {
    host: `127.0.0.1:${port}`,
    folder,
    order(command) {
      const told = last.then(() => {
        child.send(command);
        return answer() as Promise<Told>;
      });
      last = told.catch(() => undefined);
      return told;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** In the server: ends it with its parent, however that ends. */
export function endWithParent(folder: string): void {
  process.once('disconnect', () => {
    rmSync(folder, { recursive: true, force: true });
    process.kill(process.pid, 'SIGKILL');
  });
}
