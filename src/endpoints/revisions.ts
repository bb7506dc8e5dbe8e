import type { EndpointRevision } from '#generated/prisma/client.ts';
import type { Json } from '#connectors/contract.ts';
import type { Store } from '#store/open-store.ts';
import { type Difference, differences } from './differences.ts';

/** How many revisions are shown, and can be compared and brought back. */
export const revisionsKept = 10;

/** A revision, and what it changed. */
export interface ToldRevision extends EndpointRevision {
  differences: Difference[];
}

/** The last revisions of an endpoint, newest first. */
export async function revisionsOf(
  { db }: Pick<Store, 'db'>,
  projectId: string,
  endpointId: string,
): Promise<ToldRevision[]> {
  const rows = await db.endpointRevision.findMany({
    where: { endpointId, projectId },
    orderBy: { revision: 'desc' },
    take: revisionsKept + 1,
  });
  return rows.slice(0, revisionsKept).map((row, index) => ({
    ...row,
    differences: differences((rows[index + 1]?.declaration ?? null) as Json, row.declaration as Json),
  }));
}
