import type { Token } from '#warehouse/select-reads.ts';

/** A statement of a script, and in which branch of IF @@row_count = n THEN … ELSE … END IF it stands. */
export interface Step {
  tokens: Token[];
  /** Set of the first in a branch: how many rows the statement before the IF must have changed. */
  count: number | null;
  branch: 'THEN' | 'ELSE' | null;
}

/** The statements of a script in order. Only one kind of branch is known. */
export function stepsOf(statements: readonly Token[][]): Step[] {
  const steps: Step[] = [];
  let branch: Step['branch'] = null;
  for (const statement of statements) {
    let tokens = statement;
    let count: number | null = null;
    if (tokens[0]?.text === 'IF' && tokens[1]?.text === '@@row_count') {
      branch = 'THEN';
      count = Number(tokens[3]!.text);
      tokens = tokens.slice(5);
    }
    if (tokens[0]?.text === 'ELSE') {
      branch = 'ELSE';
      tokens = tokens.slice(1);
    }
    if (tokens[0]?.text === 'END' && tokens[1]?.text === 'IF') branch = null;
    else steps.push({ tokens, count, branch });
  }
  return steps;
}
