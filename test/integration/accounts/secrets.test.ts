import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSecretBox } from '#accounts/secrets.ts';

const where = { projectId: 'p1', row: 'r1', field: 'password' };
let folder: string;
let home: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-secrets-'));
  home = join(folder, 'home');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('with a key file of the home', () => {
  test('what is sealed opens again, also after a restart', async () => {
    const sealed = (await openSecretBox({ home, secretKey: undefined })).seal('ünder 🔑 ""', where);
    const again = await openSecretBox({ home, secretKey: undefined });
    expect(again.open(sealed, where)).toBe('ünder 🔑 ""');
    expect(JSON.stringify(sealed)).not.toContain('nder');
  });

  test('the file is made once, with mode 0600, by however many processes start at once', async () => {
    const boxes = await Promise.all(
      Array.from({ length: 20 }, () => openSecretBox({ home, secretKey: undefined })),
    );
    const sealed = boxes[0]!.seal('x', where);
    expect(boxes.map((box) => box.open(sealed, where))).toEqual(boxes.map(() => 'x'));
    expect((await stat(join(home, 'secret.key'))).mode & 0o777).toBe(0o600);
    expect(await readdir(home)).toEqual(['secret.key']);
  });

  test('a file that others can read is refused, with the command that mends it', async () => {
    await openSecretBox({ home, secretKey: undefined });
    await chmod(join(home, 'secret.key'), 0o644);
    await expect(openSecretBox({ home, secretKey: undefined })).rejects.toMatchObject({
      message: expect.stringContaining('has mode 0644'),
      fix: `Run: chmod 600 '${join(home, 'secret.key')}'`,
    });
  });

  test('a file that holds no key is refused', async () => {
    await openSecretBox({ home, secretKey: undefined });
    await writeFile(join(home, 'secret.key'), 'too short\n');
    await expect(openSecretBox({ home, secretKey: undefined })).rejects.toThrow('must hold keys of 32 bytes');
  });
});

describe('with another key', () => {
  test('a wrong key gives an error that names the key, never garbage', async () => {
    const sealed = (await openSecretBox({ home, secretKey: randomBytes(32) })).seal('x', where);
    const other = await openSecretBox({ home, secretKey: randomBytes(32) });
    expect(() => other.open(sealed, where)).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringMatching(
          /^The secret "password" was sealed with key [0-9a-f]{8}, which is not at hand/,
        ),
      }),
    );
  });

  test('SLUICE_SECRET_KEY makes no file, and what an existing file sealed still opens beside it', async () => {
    const secretKey = randomBytes(32);
    await openSecretBox({ home, secretKey });
    await expect(readdir(home)).rejects.toThrow('ENOENT');
    const sealed = (await openSecretBox({ home, secretKey: undefined })).seal('old', where);
    const box = await openSecretBox({ home, secretKey });
    expect(box.open(sealed, where)).toBe('old');
    const resealed = box.seal('old', where);
    await rm(join(home, 'secret.key'));
    expect((await openSecretBox({ home, secretKey })).open(resealed, where)).toBe('old');
  });

  test('a new first line of the file seals, and the older ones still open', async () => {
    const sealed = (await openSecretBox({ home, secretKey: undefined })).seal('old', where);
    const path = join(home, 'secret.key');
    await writeFile(path, `${randomBytes(32).toString('base64')}\n${await readFile(path, 'utf8')}`);
    const box = await openSecretBox({ home, secretKey: undefined });
    expect(box.open(sealed, where)).toBe('old');
    expect(box.seal('old', where)).not.toHaveProperty('keyId', (sealed as { keyId: string }).keyId);
  });
});

test('a sealed text opens in no other project, row or field, and not when changed', async () => {
  const box = await openSecretBox({ home, secretKey: undefined });
  const sealed = box.seal('x', where) as { keyId: string; nonce: string; text: string };
  for (const other of [
    { projectId: 'p2' },
    { row: 'r2' },
    { field: 'token' },
    { projectId: 'p', row: '1r1' },
  ]) {
    expect(() => box.open(sealed, { ...where, ...other })).toThrow(
      'was changed in the store, or belongs to another row',
    );
  }
  const text = Buffer.from(sealed.text, 'base64');
  text[0]! ^= 1;
  expect(() => box.open({ ...sealed, text: text.toString('base64') }, where)).toThrow('was changed');
  expect(() => box.open({ ...sealed, text: '' }, where)).toThrow('was changed');
  expect(() => box.open(null, where)).toThrow('was changed');
  expect(() => box.open({ keyId: sealed.keyId }, where)).toThrow('was changed');
});

test('the same text sealed twice looks different', async () => {
  const box = await openSecretBox({ home, secretKey: undefined });
  expect(box.seal('x', where)).not.toEqual(box.seal('x', where));
});
