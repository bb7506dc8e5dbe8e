import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { connect } from '#store/connect.ts';
import { templateName } from './global-setup.ts';

export interface TestDatabase extends AsyncDisposable {
  /** Of the superuser. */
  url: string;
}

/** A migrated database of its own, cloned from the run's template in about 30 ms and dropped when disposed of. */
export function createTestDatabase(): Promise<TestDatabase> {
  return create(`TEMPLATE ${templateName}`);
}

/** A database without any table: what a source reads from. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create('TEMPLATE template0');
}

async function create(how: string): Promise<TestDatabase> {
  const adminUrl = inject('postgresUrl');
  if (!adminUrl)
    throw new Error(
      'Only the projects integration, contract and e2e have a PostgreSQL: see vitest.config.ts',
    );
  const name = `test_${randomBytes(6).toString('hex')}`;
  const run = async (sql: string) => {
    const client = await connect(adminUrl, 'sluice tests');
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE DATABASE ${name} ${how}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return { url: url.toString(), [Symbol.asyncDispose]: () => run(`DROP DATABASE ${name} WITH (FORCE)`) };
}
