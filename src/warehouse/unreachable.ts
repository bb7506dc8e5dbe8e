import { AppError } from '#base/errors.ts';

/** An engine was not reached, or does not let anybody in. `path` names the field of the config to blame. */
export class Unreachable extends AppError {
  /** CONFIG stays wrong until the config is changed. */
  readonly kind: 'CONFIG' | 'TRANSIENT';
  readonly path: readonly string[];

  constructor(
    {
      kind,
      path,
      said,
      fix,
    }: { kind: 'CONFIG' | 'TRANSIENT'; path: readonly string[]; said: string; fix: string },
    cause?: unknown,
  ) {
    super('WAREHOUSE_UNAVAILABLE', said, { fix, cause });
    this.name = 'Unreachable';
    this.kind = kind;
    this.path = path;
  }
}
