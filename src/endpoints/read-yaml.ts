import { isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Problem } from '#base/errors.ts';
import { checkDeclaration } from './check-declaration.ts';
import type { Declaration } from './declaration.ts';

/** A problem and its place in the file, from 1. */
export interface FileProblem extends Problem {
  line: number;
  column: number;
}

export type ReadYaml =
  | { declaration: Declaration; /** Where a path of the declaration stands. */ placeOf: PlaceOf }
  | { problems: FileProblem[] };

export type PlaceOf = (path: readonly string[]) => { line: number; column: number };

/** More text than this is no declaration. */
export const yamlBytesMax = 1_000_000;

const several = 'Another declaration begins here: a file holds one.';

/** Reads a file of one declaration. Every problem of it comes with line and column. */
export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter();
  const document = parsed(text, lines);
  if (!document) {
    const message = 'It is nested too deeply.';
    return { problems: [{ code: 'INVALID', path: [], message, line: 1, column: 1 }] };
  }
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map(({ code, message, pos: [offset] }) => ({
        code: 'INVALID',
        path: [],
        message: code === 'MULTIPLE_DOCS' ? several : `This is no YAML: ${message}`,
        ...at(offset),
      })),
    };
  }
  if (document.contents === null) {
    const fix = 'Declare an endpoint in it: metadata, route and query.';
    return { problems: [{ code: 'REQUIRED', path: [], message: 'It is empty.', fix, line: 1, column: 1 }] };
  }
  const placeOf: PlaceOf = (path) => at(offsetOf(document.contents, path));
  let declaration: unknown;
  try {
    // An alias that repeats itself into millions of nodes is refused.
    declaration = document.toJS({ maxAliasCount: 100 });
  } catch {
    const message = 'Its aliases repeat too much.';
    return { problems: [{ code: 'INVALID', path: [], message, fix: 'Write it out.', line: 1, column: 1 }] };
  }
  const problems = checkDeclaration(declaration);
  if (problems.length === 0) return { declaration: declaration as Declaration, placeOf };
  return { problems: problems.map((problem) => ({ ...problem, ...placeOf(problem.path) })) };
}

/** Null for what would need more stack than there is. */
function parsed(text: string, lineCounter: LineCounter): ReturnType<typeof parseDocument> | null {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Where the value of a path begins, or its key where the value is missing: that of the nearest node around it. */
function offsetOf(root: Node | null, path: readonly string[]): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isNode(key) && String(key) === step);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}
