import { createHash } from 'node:crypto';
import { inputError } from '#base/errors.ts';
import type { Tx } from '#store/open-store.ts';
import { canonicalJson } from './canonical-json.ts';

const keyLengthMax = 200;
const keptHours = 24;

/** Which create or start is asked for, in which project, and with what. */
export interface OnceOnly {
  projectId: string;
  /** The mutation's name. */
  operation: string;
  /** The client's idempotencyKey; without one every call makes something new. */
  key: string | null | undefined;
  /** The whole input; its idempotencyKey does not count. */
  input: object;
}

/**
 * Makes something once for each idempotency key of a project and operation, within 24 hours: a repeat, also one that
 * runs at the same time, gets the id of what was made first. Must run in the transaction that makes it. Fails with
 * IDEMPOTENCY_KEY_REUSED when the key came with another input before.
 */
export async function once(
  tx: Tx,
  ask: OnceOnly,
  make: () => Promise<{ id: string }>,
): Promise<{ id: string; repeated: boolean }> {
  const { projectId, operation, key } = ask;
  if (key === null || key === undefined) return { id: (await make()).id, repeated: false };
  if (key === '' || key.length > keyLengthMax) {
    const message = `The idempotency key has ${key.length} characters; 1 to ${keyLengthMax} are allowed.`;
    throw inputError('INVALID', ['idempotencyKey'], message, 'A UUID makes a good one.');
  }
  const requestHash = hashOfInput(ask.input);
  // Whoever repeats at the same time waits here until the first has committed, and then finds what it made.
  await tx.$queryRaw`
    SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(${`${projectId}/${operation}/${key}`}, 0))`;
  const known = await tx.idempotencyKey.findUnique({
    where: { projectId_operation_key: { projectId, operation, key } },
  });
  const now = new Date();
  if (known !== null && known.createdAt.getTime() > now.getTime() - keptHours * 3_600_000) {
    if (Buffer.compare(known.requestHash, requestHash) === 0) return { id: known.resultId, repeated: true };
    const message = `The idempotency key "${key}" was used for another input.`;
    throw inputError('IDEMPOTENCY_KEY_REUSED', ['idempotencyKey'], message, 'Use a new key for a new input.');
  }
  const { id } = await make();
  const remembered = { requestHash, resultId: id, createdAt: now };
  await tx.idempotencyKey.upsert({
    where: { projectId_operation_key: { projectId, operation, key } },
    create: { projectId, operation, key, ...remembered },
    update: remembered,
  });
  await forgetOld(tx, now);
  return { id, repeated: false };
}

function hashOfInput(input: object): Uint8Array<ArrayBuffer> {
  const counted = { ...input, idempotencyKey: undefined };
  return new Uint8Array(createHash('sha256').update(canonicalJson(counted), 'utf8').digest());
}

/** A few at a time, and none that another transaction holds, so that no write waits for the cleaning. */
async function forgetOld(tx: Tx, now: Date): Promise<void> {
  await tx.$executeRaw`
    DELETE FROM idempotency_key WHERE ctid IN (
      SELECT ctid FROM idempotency_key
      WHERE created_at < ${new Date(now.getTime() - keptHours * 3_600_000)}
      LIMIT 100 FOR UPDATE SKIP LOCKED
    )`;
}
