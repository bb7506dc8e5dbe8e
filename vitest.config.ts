import { defineConfig } from 'vitest/config';

const withPostgres = { globalSetup: ['test/support/global-setup.ts'], hookTimeout: 60_000 };

export default defineConfig({
  // graphql is published twice (ESM and CommonJS); node takes the second everywhere, vite the first for our own files
  // only, and its classes are then not those of graphql-ws and Pothos.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: `${import.meta.dirname}/node_modules/graphql/index.js` }],
  },
  test: {
    // Two cores are what a small CI machine has, and the tests with a database share it with PostgreSQL.
    maxWorkers: 2,
    // Native modules (DuckDB, argon2) and signals want processes of their own.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/golden/**/*.test.ts', 'test/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 30_000,
          ...withPostgres,
        },
      },
      {
        extends: true,
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          ...withPostgres,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          ...withPostgres,
          // They measure deadlines of real processes: one at a time, after everything else.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
