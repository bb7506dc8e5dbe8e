import { AppError, messageOf } from '#base/errors.ts';
import { ColumnMisfit, ConnectorError } from '#connectors/contract.ts';
import { Unreachable } from '#warehouse/unreachable.ts';
import type { CloudLoader } from './cloud-loader.ts';

/** What an error means for the task: what may go well the next time is TRANSIENT, what the config is to blame for CONFIG. */
export function cloudError(loader: CloudLoader, error: unknown): unknown {
  if (error instanceof ConnectorError || error instanceof ColumnMisfit || error instanceof Unreachable)
    return error;
  const explained = loader.explain?.(error);
  if (explained) return explained;
  const options = { cause: error, ...(error instanceof AppError && error.fix && { fix: error.fix }) };
  if (error instanceof AppError) {
    const { code, message } = error;
    if (code === 'WAREHOUSE_UNAVAILABLE' || code === 'WAREHOUSE_TIMEOUT' || code === 'CONFLICT') {
      return new ConnectorError('TRANSIENT', message, options);
    }
    return new ConnectorError('DESTINATION', message, options);
  }
  const isFull = /no space left|ENOSPC|disk quota/i.test(messageOf(error));
  if (isFull) {
    return new ConnectorError('DESTINATION', 'There is no room on the disk for the files that are loaded.', {
      cause: error,
      fix: 'Make room on the disk and sync again.',
    });
  }
  return new ConnectorError('DESTINATION', `${loader.title} could not be written to: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Runs what talks to the engine; fails with what its error means. */
export async function asConnectorError<T>(loader: CloudLoader, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cloudError(loader, error);
  }
}
