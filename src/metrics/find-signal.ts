import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { type InputError, inputError } from '#base/errors.ts';
import type { Signal } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';

/** The signal. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
export async function findSignal(db: Pick<Tx, 'signal'>, viewer: Viewer, id: string): Promise<Signal> {
  const signal = await db.signal.findFirst({ where: { id, ...visible(viewer) } });
  if (!signal) throw signalNotFound();
  return signal;
}

/** What whoever names an unknown, foreign or deleted signal is told. */
export function signalNotFound(): InputError {
  return inputError('NOT_FOUND', ['id'], 'There is no such signal.');
}
