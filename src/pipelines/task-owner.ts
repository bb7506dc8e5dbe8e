import type {
  Datastore,
  Destination,
  Job,
  Prisma,
  Source,
  Transformation,
} from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';

export type JobWithEnds = Job & { source: Source; destination: Destination };
export type TransformationWithDatastore = Transformation & { datastore: Datastore };

/** What a task executes, with all that a run of it needs. */
export type TaskOwner =
  { job: JobWithEnds; transformation?: never } | { transformation: TransformationWithDatastore; job?: never };

/** What of a task's row has to be read to know its owner. */
export const ownerInclude = {
  job: { include: { source: true, destination: true } },
  transformation: { include: { datastore: true } },
} as const satisfies Prisma.TaskInclude;

type TaskWithOwner = Prisma.TaskGetPayload<{ include: typeof ownerInclude }>;

/** The owner of a task that was read with ownerInclude. */
export function ownerOf({ id, job, transformation }: TaskWithOwner): TaskOwner {
  if (job) return { job };
  if (transformation) return { transformation };
  throw new Error(`The task ${id} is of nothing.`);
}

/** The columns of a task that name its owner. */
export function ownerIds({
  job,
  transformation,
}: TaskOwner): { jobId: string } | { transformationId: string } {
  return job ? { jobId: job.id } : { transformationId: transformation.id };
}

/** The owner of that id, with what a run of it needs. */
export async function loadOwner(
  tx: Pick<Tx, 'job' | 'transformation'>,
  kind: 'job' | 'transformation',
  id: string,
): Promise<TaskOwner> {
  const where = { id };
  if (kind === 'job') return { job: await tx.job.findUniqueOrThrow({ where, ...ownerInclude.job }) };
  return {
    transformation: await tx.transformation.findUniqueOrThrow({ where, ...ownerInclude.transformation }),
  };
}
