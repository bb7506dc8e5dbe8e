import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#base/errors.ts';

const keyBytes = 32;

/**
 * The keys in `<home>/secret.key`, one in base64 a line, the first being the current one. Without a file one is made
 * (mode 0600) when `create` is set: of several processes that start at once one makes it and all get the same. Fails
 * when the file is readable by others or holds anything else.
 */
export async function keysOfHome(home: string, options: { create: boolean }): Promise<Buffer[]> {
  const path = join(home, 'secret.key');
  const existing = await readKeys(path);
  if (existing !== null) return existing;
  if (!options.create) return [];
  await createKeyFile(home, path);
  return (await readKeys(path)) ?? [];
}

async function readKeys(path: string): Promise<Buffer[] | null> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw new AppError('BAD_USER_INPUT', `The key file ${path} cannot be read.`, {
      cause: error,
      fix: 'Let the user that runs Sluice own it, or set SLUICE_SECRET_KEY.',
    });
  }
  await using opened = file;
  const { mode } = await opened.stat();
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0');
    throw new AppError(
      'INTERNAL',
      `The key file ${path} has mode ${shown}: others on this machine could read it.`,
      {
        fix: `Run: chmod 600 '${path}'`,
      },
    );
  }
  const lines = (await opened.readFile('utf8')).split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line) => Buffer.from(line.trim(), 'base64'));
  if (keys.length === 0 || keys.some((key) => key.length !== keyBytes)) {
    throw new AppError(
      'INTERNAL',
      `The key file ${path} must hold keys of ${keyBytes} bytes in base64, one a line.`,
      {
        fix: 'Restore it from a backup, or set SLUICE_SECRET_KEY. A new key cannot open what the lost one sealed.',
      },
    );
  }
  return keys;
}

/** The finished file appears under its name in one step: link fails, rather than replaces, when another was first. */
async function createKeyFile(home: string, path: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${randomBytes(keyBytes).toString('base64')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((error: unknown) => {
      if (!isCode(error, 'EEXIST')) throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
