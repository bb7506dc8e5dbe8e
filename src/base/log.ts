export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogThreshold = (typeof logLevels)[number];

/** Writes one line of JSON an event to standard error; `fields` must hold no secret. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** The same log with these fields on every line. */
  with(fields: Record<string, unknown>): Log;
}

/** A log that drops what lies below `threshold`. `write` takes one finished line. */
export function createLog(
  threshold: LogThreshold,
  write: (line: string) => void = (line) => process.stderr.write(line),
  common: Record<string, unknown> = {},
): Log {
  const lowest = logLevels.indexOf(threshold);
  const at = (level: LogThreshold) => (message: string, fields?: Record<string, unknown>) => {
    if (logLevels.indexOf(level) < lowest) return;
    write(
      `${JSON.stringify({ at: new Date().toISOString(), level, message, ...common, ...fields }, plain)}\n`,
    );
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => createLog(threshold, write, { ...common, ...fields }),
  };
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) {
    return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
  }
  return value;
}
