import type { Problem, ProblemCode } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { StreamInfo, StreamSelection, SyncMode, WriteMode } from '#connectors/contract.ts';

export interface JobStreamInput {
  namespace?: string | null | undefined;
  name: string;
  syncMode: SyncMode;
  writeMode?: WriteMode | null | undefined;
  cursorField?: string | null | undefined;
  primaryKey?: readonly string[] | null | undefined;
  destinationTable?: string | null | undefined;
  selectedColumns?: readonly string[] | null | undefined;
}

/** The stream's name for people and in StreamState: "namespace.name", or the name alone. */
export function streamName(stream: { namespace: string | null; name: string }): string {
  return stream.namespace === null ? stream.name : `${stream.namespace}.${stream.name}`;
}

/**
 * Checks what a job asks of its streams against what the source offers and the destination can write, and fills in what
 * was left out. The selections are to be used only when there are no problems.
 */
export function checkStreams(
  inputs: readonly JobStreamInput[],
  offered: readonly StreamInfo[],
  writeModes: readonly WriteMode[],
): { selections: StreamSelection[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const selections: StreamSelection[] = [];
  if (inputs.length === 0) {
    problems.push({ code: 'REQUIRED', path: ['streams'], message: 'A job needs at least one stream.' });
  }
  for (const [index, input] of inputs.entries()) {
    const add: AddProblem = (code, field, message, fix) =>
      problems.push({ code, path: ['streams', String(index), ...(field ? [field] : [])], message, fix });
    const stream = findStream(input, offered, add);
    if (!stream) continue;
    const selection = checkOne(input, stream, writeModes, add);
    checkAgainstOthers(selection, selections, add);
    selections.push(selection);
  }
  return { selections, problems };
}

/** Adds a problem of one stream, at one of its fields or at the stream itself. */
type AddProblem = (
  code: ProblemCode,
  field: keyof JobStreamInput | undefined,
  message: string,
  fix?: string,
) => void;

function findStream(
  input: JobStreamInput,
  offered: readonly StreamInfo[],
  add: AddProblem,
): StreamInfo | undefined {
  const named = offered.filter((stream) => stream.name === input.name);
  const found =
    input.namespace == null ? named : named.filter((stream) => stream.namespace === input.namespace);
  if (found.length === 1) return found[0];
  const asked = streamName({ namespace: input.namespace ?? null, name: input.name });
  if (found.length > 1) {
    const namespaces = found.map((stream) => `"${stream.namespace}"`).join(', ');
    add(
      'INVALID',
      'namespace',
      `The source offers "${asked}" in several namespaces.`,
      `Name one of ${namespaces}.`,
    );
    return undefined;
  }
  const names = offered.map(streamName);
  const alike = nearest(
    input.name,
    offered.map((stream) => stream.name),
  );
  const meant =
    nearest(asked, names) ?? names[offered.findIndex((stream) => alike !== undefined && stream.name === alike)];
  const fix = meant ? `Did you mean "${meant}"?` : `Its columns are: ${columns.join(', ')}.`;
      add('INVALID', field, `The stream has no column "${column}".`, fix);
    } else if (named.indexOf(column) < index) {
      add('INVALID', field, `The column "${column}" is named twice.`, 'Name each column once.');
    }
  }
}

function checkAgainstOthers(
  selection: StreamSelection,
  others: readonly StreamSelection[],
  add: AddProblem,
): void {
  const name = streamName(selection);
  if (others.some((other) => streamName(other) === name)) {
    add('NOT_UNIQUE', 'name', `The stream "${name}" is named twice.`, 'Name each stream once.');
    return;
  }
  // Engines fold case differently: names that differ in nothing else would be one table in some.
  const table = selection.destinationTable.toLowerCase();
  const twin = others.find((other) => other.destinationTable.toLowerCase() === table);
  if (twin) {
    const message = `"${name}" would be written to the table "${selection.destinationTable}" as "${streamName(twin)}" is.`;
    add('NOT_UNIQUE', 'destinationTable', message, 'Give one of them another destinationTable.');
  }
}

const tableLengthMax = 63;
const tablePattern = /^[\p{L}_][\p{L}\p{N}_]{0,62}$/u;

/** The stream's name as a table can have it: "2024 orders" becomes "_2024_orders". */
function safeTable(name: string): string {
  const safe = name.replaceAll(/[^\p{L}\p{N}_]+/gu, '_').slice(0, tableLengthMax);
  return /^[\p{L}_]/u.test(safe) ? safe : `_${safe}`.slice(0, tableLengthMax);
}
