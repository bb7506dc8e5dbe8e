import { createLog } from '#base/log.ts';
import { openStore, type StoreRole } from '#store/open-store.ts';

// A process of its own for the tests: opens the store of a home, says so in one line, and closes it at SIGTERM.
const [home = '', role = 'serve', databaseUrl] = process.argv.slice(2);
const startedAt = performance.now();
try {
  const store = await openStore({ databaseUrl, home, role: role as StoreRole, log: createLog('info') });
  const held = setInterval(() => {}, 60_000);
  process.once('SIGTERM', () => {
    clearInterval(held);
    void store[Symbol.asyncDispose]();
  });
  const { rows } = await store.pool.query<{ pid: string }>(
    `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid`,
  );
  process.stdout.write(
    `${JSON.stringify({
      ready: true,
      homeId: store.homeId,
      url: store.databaseUrl,
      postgresPid: Number(rows[0]?.pid),
      accounts: await store.db.account.count(),
      openMs: Math.round(performance.now() - startedAt),
    })}\n`,
  );
} catch (error) {
  const { message, code, fix } = error as { message: string; code?: string; fix?: string };
  process.stdout.write(`${JSON.stringify({ ready: false, message, code, fix })}\n`);
  process.exitCode = 1;
}
