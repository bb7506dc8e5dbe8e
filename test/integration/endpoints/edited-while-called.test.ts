import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { followFolder } from '#endpoints/follow-folder.ts';
import { type EndpointLab, openEndpointLab } from '../../support/endpoint-lab.ts';

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const yaml = (edit: number) => `metadata: { name: some_users, version: 1 }
route: /users/some
query: SELECT id, ${edit} AS edit FROM raw.users WHERE id <= 3
pagination: { key: [id] }
`;
const clients = 50;

test('no call is lost while its file is edited: each is answered by the old file or the new one', async () => {
  const folder = join(lab.gql.filesRoot, '..', 'edited');
  const file = join(folder, 'users.yaml');
  await mkdir(folder, { recursive: true });
  await writeFile(file, yaml(0));
  const { app } = lab.gql;
  await using _followed = await followFolder(app.endpoints, { folder, homeId: app.store.homeId });

  let served = 0;
  const editing = new AbortController();
  const wrong: string[] = [];
  const client = async () => {
    while (!editing.signal.aborted) {
      const from = served;
      const { status, text } = await lab.call('v1/users/some');
      const rows = status === 200 ? (JSON.parse(text) as { data: { edit: number }[] }).data : [];
      const edits = new Set(rows.map(({ edit }) => edit));
      const [edit = -1] = edits;
      // Never older than what was served when it was asked.
      if (rows.length !== 3 || edits.size !== 1 || edit < from) wrong.push(`${status} ${text}`);
    }
  };
  const calling = Array.from({ length: clients }, client);
  const isServed = (edit: number) =>
    vi.waitFor(async () => {
      const { text } = await lab.call('v1/users/some?first=1');
      expect(JSON.parse(text)).toMatchObject({ data: [{ edit }] });
      served = edit;
    }, 60_000);
  // As editors do it: written in place, put in its place as a whole, taken away and written anew, renamed away and back.
  const edits: ((text: string) => Promise<void>)[] = [
    (text) => writeFile(file, text),
    async (text) => {
      await writeFile(join(folder, '.users.yaml.swp'), text);
      await rename(join(folder, '.users.yaml.swp'), file);
    },
    async (text) => {
      await rm(file);
      // Longer than changes are given to settle.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await writeFile(file, text);
    },
    async (text) => {
      await rename(file, join(folder, 'users.yaml~'));
      await writeFile(file, text.slice(0, 40));
      await writeFile(file, text);
      await rm(join(folder, 'users.yaml~'));
    },
  ];
  try {
    for (const [index, edit] of edits.entries()) {
      await edit(yaml(index + 1));
      await isServed(index + 1);
    }
    await writeFile(file, 'metadata: [');
    await lab.call('v1/users/some');
    await writeFile(file, yaml(9));
    await isServed(9);
  } finally {
    editing.abort();
    await Promise.all(calling);
  }
  expect(wrong).toEqual([]);
});
