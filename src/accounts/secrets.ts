import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import { keysOfHome } from './key-file.ts';

/** The one place a sealed text belongs to: moved to another row or field it does not open. */
export interface SecretPlace {
  projectId: string;
  /** The row's id. */
  row: string;
  /** The field in it, such as "ssl.key". */
  field: string;
}

/** Seals texts for the store with AES-256-GCM and opens them again. */
export interface SecretBox {
  /** What may be stored: { keyId, nonce, text }. */
  seal(text: string, where: SecretPlace): Json;
  /** Fails with INTERNAL when the key is not at hand, or the text was changed or belongs elsewhere; never gives garbage. */
  open(sealed: Json, where: SecretPlace): string;
}

interface Key {
  id: string;
  bytes: Buffer;
}

const tagBytes = 16;

/**
 * Opens the box with SLUICE_SECRET_KEY, or without it with the key file of the home, which is made when missing. The
 * first key seals; keys of an existing file still open what they sealed, so that a key can be replaced. Fails when the
 * key file is readable by others or holds no key.
 */
export async function openSecretBox(options: {
  home: string;
  secretKey: Buffer | undefined;
}): Promise<SecretBox> {
  const ofHome = await keysOfHome(options.home, { create: options.secretKey === undefined });
  const keys = [...(options.secretKey === undefined ? [] : [options.secretKey]), ...ofHome].map(identified);
  const sealing = keys[0];
  if (sealing === undefined) throw new Error('keysOfHome made no key');
  return {
    seal: (text, where) => seal(sealing, text, where),
    open: (sealed, where) => open(keys, sealed, where),
  };
}

function identified(bytes: Buffer): Key {
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

function seal(key: Key, text: string, where: SecretPlace): Json {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: tagBytes }).setAAD(
    placeOf(where),
  );
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { keyId: key.id, nonce: nonce.toString('base64'), text: sealed.toString('base64') };
}

function open(keys: readonly Key[], sealed: Json, where: SecretPlace): string {
  const { keyId, nonce, text } = partsOf(sealed, where);
  const key = keys.find(({ id }) => id === keyId);
  if (key === undefined) {
    throw new AppError(
      'INTERNAL',
      `The secret "${where.field}" was sealed with key ${keyId}, which is not at hand.`,
      {
        fix: 'Start with the SLUICE_SECRET_KEY or the key file it was sealed with, or enter the secret again.',
      },
    );
  }
  try {
    const bytes = Buffer.from(text, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, Buffer.from(nonce, 'base64'), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(placeOf(where)).setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw unreadable(where, cause);
  }
}

function partsOf(sealed: Json, where: SecretPlace): { keyId: string; nonce: string; text: string } {
  if (sealed === null || typeof sealed !== 'object' || Array.isArray(sealed)) throw unreadable(where);
  const { keyId, nonce, text } = sealed;
  if (typeof keyId !== 'string' || typeof nonce !== 'string' || typeof text !== 'string')
    throw unreadable(where);
  return { keyId, nonce, text };
}

function unreadable(where: SecretPlace, cause?: unknown): AppError {
  return new AppError(
    'INTERNAL',
    `The secret "${where.field}" was changed in the store, or belongs to another row.`,
    {
      cause,
      fix: 'Enter the secret again.',
    },
  );
}

/** JSON keeps the three apart whatever they hold: "a" + "bc" is not "ab" + "c". */
function placeOf(where: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([where.projectId, where.row, where.field]), 'utf8');
}
