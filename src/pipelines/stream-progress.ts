import type { Json, StagedPart, StreamPlan } from '#connectors/contract.ts';
import type { TaskStream } from '#generated/prisma/client.ts';
import type { LogLevel } from '#generated/prisma/enums.ts';
import { streamName } from './check-streams.ts';
import type { TaskHold } from './task-hold.ts';
import type { StreamChange } from './write-task.ts';

/** What the store keeps of a running stream: its plan. Which parts are staged, the destination's markers say. */
export interface StreamCheckpoint {
  /** What the plan is a plan of: one of something else is no plan. */
  of: string;
  resume: Json | null;
  /** The columns it plans, in words that are equal for equal ones: parts staged with others are not its parts. */
  shape: string;
  /** Columns that travel as text since a value did not fit. */
  asText: string[];
  /** Columns whose warning the log has already. */
  warned: string[];
}

const empty: StreamCheckpoint = { of: '', resume: null, shape: '', asText: [], warned: [] };

/** How one stream of a run stands: its counters and checkpoint, told to the task's hold at every change. */
export class StreamProgress {
  readonly name: string;
  private readonly hold: TaskHold;
  private readonly stream: StreamChange;
  private kept: StreamCheckpoint;
  private readonly startedAt = performance.now();
  /** Rows and bytes of parts that are being staged, by part. */
  private readonly open = new Map<string, { rows: bigint; bytes: bigint }>();
  private staged = { rows: 0n, bytes: 0n };

  constructor(hold: TaskHold, row: TaskStream) {
    this.hold = hold;
    this.name = streamName(row);
    this.stream = streamChange(row);
    this.kept = { ...empty, ...(row.checkpoint as StreamCheckpoint | null) };
  }

  get checkpoint(): StreamCheckpoint {
    return this.kept;
  }

  get rowsRead(): bigint {
    return this.stream.rowsRead;
  }

  get bytesRead(): bigint {
    return this.stream.bytesRead;
  }

  get elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  log(level: LogLevel, message: string): void {
    this.hold.log(level, this.name, message);
  }

  /** Goes on from the checkpoint, if that is of the same: the job may have been changed since the last attempt. */
  begin(of: string): void {
    this.kept = this.kept.of === of ? this.kept : { ...empty, of };
    this.tell({ status: 'RUNNING' });
  }

  /** Forgets plan and counters, since another column has to be text. */
  beginAnew(asText: string): void {
    this.kept = { ...this.kept, resume: null, asText: [...this.kept.asText, asText] };
    this.countStaged([]);
    this.tell({ checkpoint: this.kept as unknown as Json });
  }

  /** Whether parts that were staged by the stored plan are parts of this one. */
  isResumedBy(plan: StreamPlan, staged: readonly StagedPart[]): boolean {
    const ids = new Set(plan.parts.map((part) => part.id));
    const { resume, shape } = this.kept;
    return resume !== null && shape === shapeOf(plan) && staged.every((part) => ids.has(part.partId));
  }

  /** Takes the plan over, with the parts staged before; warns once of every column that travels as text. */
  planned(plan: StreamPlan, staged: readonly StagedPart[]): void {
    const warned = new Set(this.kept.warned);
    for (const { name, asTextBecause } of plan.columns) {
      if (asTextBecause === undefined || warned.has(name)) continue;
      warned.add(name);
      this.log('WARN', `The column "${name}" arrives as text: ${asTextBecause}`);
    }
    this.kept = { ...this.kept, resume: plan.resume, shape: shapeOf(plan), warned: [...warned] };
    this.countStaged(staged);
    const { estimatedRows, changes = null } = plan;
    this.tell({ estimatedRows, changes, checkpoint: this.kept as unknown as Json });
  }

  /** Rows of one part so far, while it is being staged. */
  reading(partId: string, rows: bigint, bytes: bigint): void {
    this.open.set(partId, { rows, bytes });
    this.tell({});
  }

  /** The part is staged; without `part` it was given up. */
  finished(partId: string, part?: { rows: bigint; bytes: bigint }): void {
    this.open.delete(partId);
    if (part) {
      this.staged.rows += part.rows;
      this.staged.bytes += part.bytes;
    }
    this.tell({ rowsWritten: this.staged.rows });
  }

  published(rowsWritten: bigint): void {
    this.tell({ status: 'SUCCEEDED', rowsWritten, checkpoint: null });
  }

  private countStaged(parts: readonly StagedPart[]): void {
    this.open.clear();
    this.staged = { rows: 0n, bytes: 0n };
    for (const part of parts) {
      this.staged.rows += part.rows;
      this.staged.bytes += part.bytes;
    }
    this.stream.rowsWritten = this.staged.rows;
    this.stream.rowsRead = this.staged.rows;
    this.stream.bytesRead = this.staged.bytes;
  }

  private tell(change: Partial<StreamChange>): void {
    const sum = { ...this.staged };
    for (const { rows, bytes } of this.open.values()) {
      sum.rows += rows;
      sum.bytes += bytes;
    }
    Object.assign(this.stream, change);
    // A stream that was published by an earlier attempt has staged nothing in this one, and keeps its counters.
    if (sum.rows > 0n || sum.bytes > 0n || this.open.size > 0) {
      this.stream.rowsRead = sum.rows;
      this.stream.bytesRead = sum.bytes;
    }
    const { checkpoint: _, ...counters } = this.stream;
    this.hold.setStream('checkpoint' in change ? { ...counters, checkpoint: change.checkpoint } : counters);
  }
}

/** The stored row as what a write tells of it. */
export function streamChange(row: TaskStream): StreamChange {
  const { position, status, rowsRead, rowsWritten, bytesRead, estimatedRows } = row;
  const { rowsAdded: added, rowsChanged: changed, rowsRemoved: removed } = row;
  const changes = added === null || changed === null || removed === null ? null : { added, changed, removed };
  return { position, status, rowsRead, rowsWritten, bytesRead, estimatedRows, changes };
}

function shapeOf({ columns }: StreamPlan): string {
  return JSON.stringify(columns.map(({ name, type }) => [name, type]));
}
