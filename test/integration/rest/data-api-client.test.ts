import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import { serve } from '#server/serve.ts';
import { docBlocks } from '../../support/doc-blocks.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

const modules = join(import.meta.dirname, '..', '..', '..', 'node_modules');
const program = (name: string) => join(modules, '.bin', name);
const run = promisify(execFile);

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

test('docs/data-api.md: the client is generated, fits its types, and is given rows; one that asks for what is not there fits not', async () => {
  const viewer = await signUpWithUsers(gql, 'ada');
  await publish(gql, viewer, declared());
  const { secret } = await createApiKey(gql.app.accounts, viewer, { name: 'client', scopes: ['DATA_READ'] });
  await using gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  const folder = join(gql.filesRoot, '..', 'client');
  await mkdir(join(folder, 'app'), { recursive: true });
  await symlink(modules, join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const blocks = await docBlocks('data-api.md');
  for (const name of ['codegen.ts', 'app/active-users.ts']) {
    const { text } = blocks.find(({ before }) => before === `\`${name}\``)!;
    await writeFile(join(folder, name), text.replaceAll('http://127.0.0.1:4000', gateway.url));
  }
  const how = { cwd: folder, env: { ...process.env, SLUICE_TOKEN: secret } };

  await run(program('graphql-codegen'), [], how);
  const { stdout } = await run(program('node'), ['app/active-users.ts'], how);
  expect(stdout).toBe('4 user 4\n10 user 10\n');

  const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext'];
  const check = (file: string) =>
    run(program('tsc'), [...options, '--allowImportingTsExtensions', '--types', 'node', file], how).then(
      () => '',
      ({ stdout: told }: { stdout: string }) => told,
    );
  expect(await check('app/active-users.ts')).toBe('');
  await writeFile(
    join(folder, 'app', 'wrong.ts'),
    `import type { ActiveUsersOfQueryVariables } from './gql/graphql.ts';
export const variables: ActiveUsersOfQueryVariables = { plan: 'gold' };\n`,
  );
  expect(await check('app/wrong.ts')).toContain('"gold"');
});
