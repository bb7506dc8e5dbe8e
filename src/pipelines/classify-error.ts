import { AppError, InputError, messageOf, type Problem } from '#base/errors.ts';
import { NotHere } from '#catalog/datastores.ts';
import { ColumnMisfit, ConnectorError } from '#connectors/contract.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { TaskErrorKind } from '#generated/prisma/enums.ts';
import { Unreachable } from '#warehouse/unreachable.ts';

/** Why a task or one of its streams failed, as users read it. */
export interface TaskFailure {
  kind: TaskErrorKind;
  message: string;
  fix: string | null;
  /** Whether another attempt may succeed without anybody changing anything. */
  retryable: boolean;
}

/** Every failure has a kind; what nobody expected is INTERNAL, to be logged whole and shown without its text. */
export function classifyError(error: unknown): TaskFailure {
  if (error instanceof ConnectorError) {
    return { kind: error.kind, message: error.message, fix: error.fix ?? null, retryable: error.retryable };
  }
  if (error instanceof ColumnMisfit) {
    return { kind: 'SCHEMA', message: error.message, fix: null, retryable: false };
  }
  if (error instanceof Unreachable) {
    const { kind, message, fix } = error;
    return { kind, message, fix: fix ?? null, retryable: kind === 'TRANSIENT' };
  }
  if (error instanceof AppError) {
    const retryable = error.code === 'WAREHOUSE_UNAVAILABLE' || error.code === 'WAREHOUSE_TIMEOUT';
    const kind = retryable ? 'TRANSIENT' : error.code === 'INTERNAL' ? 'INTERNAL' : 'CONFIG';
    return { kind, message: error.message, fix: error.fix ?? null, retryable };
  }
  if (isStoreAway(error)) {
    return { kind: 'TRANSIENT', message: 'The metadata store did not answer.', fix: null, retryable: true };
  }
  return {
    kind: 'INTERNAL',
    message: 'Something unexpected went wrong in Sluice itself.',
    fix: "The server's own log has the details.",
    retryable: false,
  };
}

/** What an expected failure means for whoever gave the config; undefined for one that nobody expected. */
export function connectorProblems(error: unknown): Problem[] | undefined {
  if (error instanceof InputError) return [...error.problems];
  if (error instanceof ConnectorError) {
    const code = error.kind === 'CONFIG' ? 'INVALID' : 'CONNECTION_FAILED';
    return [{ code, path: ['config', ...error.path], message: error.message, fix: error.fix }];
  }
  if (error instanceof AppError && error.code !== 'INTERNAL') {
    return [{ code: 'CONNECTION_FAILED', path: ['config'], message: error.message, fix: error.fix }];
  }
  if (error instanceof NotHere) {
    return [{ code: 'CONNECTION_FAILED', path: ['config'], message: messageOf(error) }];
  }
  return undefined;
}

/** Whether the store's connection is at fault and not the statement: unreachable, closed, out of time, a deadlock. */
function isStoreAway(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false;
  return /^P1\d{3}$/.test(error.code) || ['P2024', 'P2028', 'P2034'].includes(error.code);
}
