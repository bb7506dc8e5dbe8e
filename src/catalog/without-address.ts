import { AppError } from '#base/errors.ts';
import { Unreachable } from '#warehouse/unreachable.ts';

/**
 * Reads from a datastore for somebody who may read its rows, which is not to know where it is and who enters it: that it is
 * not reached is all that is said.
 */
export async function withoutAddress<T>(datastore: { name: string }, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    throw new AppError('WAREHOUSE_UNAVAILABLE', `The datastore "${datastore.name}" cannot be reached.`, {
      fix: 'Whoever may change it finds the reason with testDatastore.',
      cause: error,
    });
  }
}
