/** One flag of a command. */
export interface Flag {
  type: 'boolean' | 'string';
  short?: string;
  /** What stands for the value in the help: "N". */
  value?: string;
  summary: string;
}

/** What was typed after a command's name, checked against its declaration. */
export interface Typed {
  arguments: string[];
  flags: Record<string, string | boolean | undefined>;
}

/** One command of the binary. */
export interface Command {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  /** Names of what must stand after the command, such as JOB. */
  arguments: string[];
  flags: Record<string, Flag>;
  /** The lines of its own help. */
  details: string[];
  /** Runs it and gives the exit code. Fails with AppError for what a user can put right. */
  run(typed: Typed): Promise<number>;
}

/** The command line cannot be understood: exit code 2. */
export class UsageError extends Error {
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.name = 'UsageError';
    this.fix = fix;
  }
}
