import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62^43 is the first power of 62 over 2^256. */
const secretDigits = 43;
const checksumDigits = 6;
const apiKeyShape = /^(sluice_[0-9A-Za-z]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

/** A token of 256 random bits for a session or a sign-in link. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** What the store keeps of a token: a token has 256 random bits, so that no slow hash is needed. */
export function hashOf(token: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash('sha256', token, 'buffer'));
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function isSameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A new API key `sluice_<keyid>_<secret><checksum>`, and its prefix, which finds it and may be shown. */
export function newApiKey(): { prefix: string; secret: string } {
  const prefix = `sluice_${base62(randomBytes(16)).slice(-12).padStart(12, '0')}`;
  const body = `${prefix}_${base62(randomBytes(32)).padStart(secretDigits, '0')}`;
  return { prefix, secret: `${body}${checksumOf(body)}` };
}

/** The prefix of a well-formed API key; null for anything else, a mistyped key included, before the store is asked. */
export function prefixOfApiKey(token: string): string | null {
  const match = apiKeyShape.exec(token);
  if (match === null || checksumOf(`${match[1]}_${match[2]}`) !== match[3]) return null;
  return match[1]!;
}

/** Whether it claims to be an API key: scanners of leaked secrets look for the same beginning. */
export function isApiKey(token: string): boolean {
  return token.startsWith('sluice_');
}

function checksumOf(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return base62(bytes).padStart(checksumDigits, '0');
}

function base62(bytes: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (; rest > 0n; rest /= 62n) text = digits.charAt(Number(rest % 62n)) + text;
  return text;
}
