import { openSecretBox } from '#accounts/secrets.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { createLog } from '#base/log.ts';
import { createEmbeddedDatastore, openDatastores } from '#catalog/datastores.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import { Memory } from '#catalog/memory.ts';
import { openStore } from '#store/open-store.ts';
import { createTestDatabase } from '../../support/database.ts';
import { temporaryFolder } from '../../support/gateway.ts';

/** The catalog of a serving process on a database and a home of its own. */
export interface TestCatalog extends AsyncDisposable {
  deps: CatalogDeps;
  home: string;
  /** A project with an embedded warehouse; whoever owns it. */
  makeProject(): Promise<Viewer>;
  /** Runs statements in the project's warehouse, or in another of its datastores. */
  run(viewer: Viewer, ...statements: string[]): Promise<void>;
}

export async function openTestCatalog(): Promise<TestCatalog> {
  await using opening = new AsyncDisposableStack();
  const log = createLog('silent');
  const home = opening.use(await temporaryFolder()).path;
  const database = opening.use(await createTestDatabase());
  const store = opening.use(await openStore({ databaseUrl: database.url, home, role: 'serve', log }));
  const { db, homeId } = store;
  const secrets = await openSecretBox({ home, secretKey: Buffer.alloc(32, 1) });
  const datastores = opening.use(
    openDatastores({ db, home, homeId, secrets, opensEmbedded: true, scanDirectories: [] }),
  );
  const deps: CatalogDeps = {
    store,
    log,
    secrets,
    datastores,
    memory: new Memory(),
    findBreaks: () => Promise.resolve([]),
    now: () => new Date(),
  };
  const open = opening.move();
  return {
    deps,
    home,
    async makeProject() {
      const [accountId, projectId] = [newId(), newId()];
      await db.account.create({ data: { id: accountId, name: 'a', createdAt: new Date() } });
      await db.project.create({
        data: { id: projectId, accountId, slug: 'p', name: 'p', createdAt: new Date() },
      });
      await db.$transaction((tx) =>
        createEmbeddedDatastore(tx, { projectId, memberId: null, homeId, at: new Date() }),
      );
      const rest = { memberId: null, apiKeyId: null, role: 'OWNER', scopes: [], sessionId: null } as const;
      return { accountId, projectId, ...rest };
    },
    async run(viewer, ...statements) {
      const { warehouse } = await datastores.open(viewer.projectId);
      for (const sql of statements) await warehouse.run({ sql });
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
