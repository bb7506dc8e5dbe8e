import type { Problem, ProblemCode } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { Difference, StreamInfo, StreamSelection, SyncMode, WriteMode } from '#connectors/contract.ts';

export interface JobStreamInput {
  namespace?: string | null | undefined;
  name: string;
  syncMode: SyncMode;
  writeMode?: WriteMode | null | undefined;
  cursorField?: string | null | undefined;
  primaryKey?: readonly string[] | null | undefined;
  destinationTable?: string | null | undefined;
  selectedColumns?: readonly string[] | null | undefined;
  difference?: { mirrorRemovals?: boolean | null | undefined } | null | undefined;
}

/** The stream's name for people and in StreamState: "namespace.name", or the name alone. */
export function streamName(stream: { namespace: string | null; name: string }): string {
  return stream.namespace === null ? stream.name : `${stream.namespace}.${stream.name}`;
}

/** What a destination can write, and whether tables whose names differ in case alone are one table there. */
export interface Writable {
  writeModes: readonly WriteMode[];
  ignoresCase: boolean;
}

/**
 * Checks what a job asks of its streams against what the source offers and the destination can write, and fills in what
 * was left out. The selections are to be used only when there are no problems.
 */
export function checkStreams(
  inputs: readonly JobStreamInput[],
  offered: readonly StreamInfo[],
  { writeModes, ignoresCase }: Writable,
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
    checkAgainstOthers(selection, selections, ignoresCase, add);
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
  const meant = nearest(asked, names) ?? names[offered.findIndex((stream) => stream.name === alike)];
  const fix = meant
    ? `Did you mean "${meant}"?`
    : `It offers: ${names.slice(0, 20).join(', ') || 'nothing'}.`;
  add('NOT_FOUND', 'name', `The source offers no stream "${asked}".`, fix);
  return undefined;
}

function checkOne(
  input: JobStreamInput,
  stream: StreamInfo,
  writeModes: readonly WriteMode[],
  add: AddProblem,
): StreamSelection {
  const name = streamName(stream);
  const columns = stream.columns.map((column) => column.name);
  const primaryKey = [...(input.primaryKey ?? stream.primaryKey)];
  const selection: StreamSelection = {
    namespace: stream.namespace,
    name: stream.name,
    syncMode: input.syncMode,
    writeMode: input.writeMode ?? defaultWriteMode(input.syncMode, primaryKey, writeModes),
    cursorField: input.syncMode === 'INCREMENTAL' ? (input.cursorField ?? null) : null,
    primaryKey,
    destinationTable: input.destinationTable ?? safeTable(stream.name),
    selectedColumns: input.selectedColumns == null ? null : [...input.selectedColumns],
    ...(input.difference != null && {
      difference: { mirrorRemovals: input.difference.mirrorRemovals ?? false },
    }),
  };
  if (!stream.syncModes.includes(input.syncMode)) {
    const fix = `Use ${stream.syncModes.join(' or ')}.`;
    add('UNSUPPORTED', 'syncMode', `The stream "${name}" cannot be read as ${input.syncMode}.`, fix);
  }
  checkWriteMode(selection, name, writeModes, add);
  if (selection.difference) checkDifference(selection, selection.difference, { stream, input, add });
  else checkCursor(selection, stream, add);
  checkColumns('primaryKey', primaryKey, columns, add);
  checkSelected(selection, columns, add);
  if (!tablePattern.test(selection.destinationTable)) {
    add(
      'INVALID',
      'destinationTable',
      `"${selection.destinationTable}" cannot be the name of a table.`,
      'Use at most 63 letters, digits and underscores, not beginning with a digit.',
    );
  }
  return selection;
}

function defaultWriteMode(
  syncMode: SyncMode,
  primaryKey: string[],
  writeModes: readonly WriteMode[],
): WriteMode {
  if (syncMode === 'FULL_REFRESH') return 'OVERWRITE';
  return primaryKey.length > 0 && writeModes.includes('UPSERT') ? 'UPSERT' : 'APPEND';
}

function checkWriteMode(
  { syncMode, writeMode, primaryKey }: StreamSelection,
  name: string,
  writeModes: readonly WriteMode[],
  add: AddProblem,
): void {
  if (!writeModes.includes(writeMode)) {
    add(
      'UNSUPPORTED',
      'writeMode',
      `The destination cannot ${writeMode}.`,
      `Use ${writeModes.join(' or ')}.`,
    );
  }
  if (writeMode === 'OVERWRITE' && syncMode !== 'FULL_REFRESH') {
    const message = `OVERWRITE with ${syncMode} would drop what was read before.`;
    add('UNSUPPORTED', 'writeMode', message, 'Use APPEND or UPSERT, or read with FULL_REFRESH.');
  }
  if (writeMode === 'UPSERT' && primaryKey.length === 0) {
    const message = `UPSERT needs a primary key, and the source knows none of "${name}".`;
    add('REQUIRED', 'primaryKey', message, 'Name the columns that identify a row, or use APPEND.');
  }
}

function checkCursor({ syncMode, cursorField }: StreamSelection, stream: StreamInfo, add: AddProblem): void {
  if (syncMode !== 'INCREMENTAL') return;
  const allowed = stream.cursorFields;
  const choice = `Use one of: ${allowed.join(', ')}.`;
  if (cursorField === null && allowed.length > 0) {
    const message = `INCREMENTAL needs the column that tells new rows of "${streamName(stream)}" from old ones.`;
    add('REQUIRED', 'cursorField', message, choice);
  } else if (cursorField !== null && allowed.length === 0) {
    const message = `The stream "${streamName(stream)}" is read INCREMENTAL without a cursor field.`;
    add('INVALID', 'cursorField', message, 'Leave cursorField out.');
  } else if (cursorField !== null && !allowed.includes(cursorField)) {
    const meant = nearest(cursorField, allowed);
    const message = `"${cursorField}" cannot be the cursor field of "${streamName(stream)}".`;
    add('INVALID', 'cursorField', message, meant ? `Did you mean "${meant}"?` : choice);
  }
}

function checkDifference(
  { syncMode, writeMode, primaryKey }: StreamSelection,
  { mirrorRemovals }: Difference,
  { stream, input, add }: { stream: StreamInfo; input: JobStreamInput; add: AddProblem },
): void {
  const name = streamName(stream);
  if (!stream.comparable) {
    const message = `The rows of the stream "${name}" cannot be compared with those of the last run.`;
    add('UNSUPPORTED', 'difference', message, 'Leave difference out; streams of datastores can be compared.');
  }
  if (syncMode !== 'INCREMENTAL') {
    add(
      'INVALID',
      'difference',
      `${syncMode} reads all rows: there is nothing to compare.`,
      'Use INCREMENTAL.',
    );
  }
  if (input.cursorField != null) {
    const message = 'INCREMENTAL goes either by a cursor or by difference.';
    add('INVALID', 'cursorField', message, 'Leave cursorField or difference out.');
  }
  if (primaryKey.length === 0) {
    const message = `A difference needs a primary key, and the source knows none of "${name}".`;
    add('REQUIRED', 'primaryKey', message, 'Name the columns that identify a row.');
  }
  if (mirrorRemovals && writeMode !== 'UPSERT') {
    add('UNSUPPORTED', 'difference', `${writeMode} cannot mirror removed rows.`, 'Use UPSERT.');
  }
}

function checkSelected(selection: StreamSelection, columns: readonly string[], add: AddProblem): void {
  const { selectedColumns, cursorField, primaryKey, writeMode, difference } = selection;
  if (selectedColumns === null) return;
  if (selectedColumns.length === 0) {
    add(
      'INVALID',
      'selectedColumns',
      'selectedColumns names no column.',
      'Leave it out to take all columns.',
    );
    return;
  }
  checkColumns('selectedColumns', selectedColumns, columns, add);
  const needed = [
    ...(writeMode === 'UPSERT' || difference ? primaryKey : []),
    ...(cursorField === null ? [] : [cursorField]),
  ];
  const missing = needed.filter((column) => columns.includes(column) && !selectedColumns.includes(column));
  if (missing.length > 0) {
    const message = `selectedColumns leaves out ${missing.join(', ')}, which the primary key or the cursor needs.`;
    add('INVALID', 'selectedColumns', message, `Add ${missing.join(', ')}.`);
  }
}

function checkColumns(
  field: 'primaryKey' | 'selectedColumns',
  named: readonly string[],
  columns: readonly string[],
  add: AddProblem,
): void {
  for (const [index, column] of named.entries()) {
    if (!columns.includes(column)) {
      const meant = nearest(column, columns);
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
  ignoresCase: boolean,
  add: AddProblem,
): void {
  const name = streamName(selection);
  if (others.some((other) => streamName(other) === name)) {
    add('NOT_UNIQUE', 'name', `The stream "${name}" is named twice.`, 'Name each stream once.');
    return;
  }
  const keyOf = ({ destinationTable }: StreamSelection) =>
    ignoresCase ? destinationTable.toLowerCase() : destinationTable;
  const twin = others.find((other) => keyOf(other) === keyOf(selection));
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
