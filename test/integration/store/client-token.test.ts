import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readClientConfig } from '#config.ts';

test("a client's token comes from SLUICE_TOKEN, else from the home's file token", async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'home-'));
  onTestFinished(() => rm(home, { recursive: true }));
  expect(readClientConfig({ SLUICE_HOME: home }).token).toBeUndefined();
  await writeFile(path.join(home, 'token'), 'from-file\n');
  expect(readClientConfig({ SLUICE_HOME: home }).token).toBe('from-file');
  expect(readClientConfig({ SLUICE_HOME: home, SLUICE_TOKEN: 'from-env' }).token).toBe('from-env');
});
