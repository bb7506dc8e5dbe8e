import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openSecretBox } from '#accounts/secrets.ts';
import { createLog } from '#base/log.ts';
import { openDatastores } from '#catalog/datastores.ts';
import type { DestinationConnector, SourceConnector } from '#connectors/contract.ts';
import { destinationConnector, sourceConnector } from '#connectors/registry.ts';
import { runTask } from '#pipelines/run-task.ts';
import { openTaskFeed } from '#pipelines/task-feed.ts';
import { openQueue } from '#queue/open-queue.ts';
import { openStore } from '#store/open-store.ts';

/*
 * A process of its own that runs one task and is killed (SIGKILL, by itself) at a seam of the run: run with the database's
 * URL, a home, the files root, the task's id, and where to die: "planned" when the source has looked what to read, "read" in the midst
 * of a part, "staged" after the first part, "publishing" in the midst of that, "published", or "saved" when the store has it too.
 */

const [databaseUrl = '', home = '', filesRoot = '', taskId = '', seam = ''] = process.argv.slice(2);

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('killed');
}

function dying(connector: DestinationConnector | undefined): DestinationConnector | undefined {
  return (
    connector && {
      ...connector,
      async open(config, context) {
        const session = await connector.open(config, context);
        return {
          async stream(origin, selection) {
            const writer = await session.stream(origin, selection);
            return {
              published: writer.published,
              staged: writer.staged,
              table: writer.table,
              begin: (...asked) => writer.begin(...asked),
              async stage(...asked) {
                if (seam === 'read') setTimeout(die, 5);
                const staged = await writer.stage(...asked);
                return seam === 'staged' ? die() : staged;
              },
              async publish(...asked) {
                if (seam === 'publishing') setTimeout(die, 5);
                const published = await writer.publish(...asked);
                return seam === 'published' ? die() : published;
              },
              abandon: () => writer.abandon(),
              [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
            };
          },
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        };
      },
    }
  );
}

function dyingSource(connector: SourceConnector | undefined): SourceConnector | undefined {
  return (
    connector && {
      ...connector,
      async open(config, context) {
        const session = await connector.open(config, context);
        return {
          async plan(...asked) {
            const plan = await session.plan(...asked);
            if (seam === 'planned') die();
            return seam === 'saved' ? { ...plan, published: async () => die() } : plan;
          },
          ...(session.reads && { reads: (selection) => session.reads!(selection) }),
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        };
      },
    }
  );
}

const log = createLog('warn');
const store = await openStore({ databaseUrl, home, role: 'worker', log });
const { db, homeId } = store;
const secrets = await openSecretBox({ home, secretKey: Buffer.alloc(32, 1) });
const pipesDir = join(home, 'pipes');
await mkdir(pipesDir, { recursive: true });
await runTask(
  {
    store,
    log,
    queue: await openQueue(store, log),
    feed: await openTaskFeed(store, log),
    secrets,
    datastores: openDatastores({ db, home, homeId, secrets, opensEmbedded: false, scanDirectories: [] }),
    connectors: {
      source: (type, version) => dyingSource(sourceConnector(type, version)),
      destination: (type, version) => dying(destinationConnector(type, version)),
    },
    filesRoot,
    pipesDir,
    homeId,
    now: () => new Date(),
    parallel: 1,
    findBreaks: () => Promise.resolve([]),
  },
  taskId,
  new AbortController().signal,
);
process.exit(3);
