import { InputError, type Problem } from '#base/errors.ts';
import type { Endpoint as EndpointRow } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import type { Declaration } from './declaration.ts';
import { fieldName, typeName, typeNames } from './names.ts';
import type { ServedRecord } from './served.ts';

/** Until the transaction ends nobody else takes a place. Comes before any row is written, so that no two wait for each other. */
export async function lockPlaces(tx: Tx): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('endpoint routes', 0))`;
}

/**
 * A path leads to one endpoint of the project, a field of GraphQL too; one that is open to all to one of the whole gateway.
 * Fails with every place that is taken. Holds as far as the places are locked.
 */
export async function checkPlace(tx: Tx, row: EndpointRow, declaration: Declaration): Promise<void> {
  const { route, metadata, auth } = declaration;
  const others = await tx.endpoint.findMany({
    where: {
      id: { not: row.id },
      deletedAt: null,
      state: { not: 'DRAFT' },
      OR: [
        { projectId: row.projectId },
        ...(auth?.public ? [{ isPublic: true, route, version: metadata.version }] : []),
      ],
    },
    select: { id: true, name: true, version: true, route: true, projectId: true },
  });
  const problems: Problem[] = [];
  const sameRoute = others.find((other) => other.route === route && other.version === metadata.version);
  if (sameRoute) {
    const whose = sameRoute.projectId === row.projectId ? `"${sameRoute.name}"` : 'another project';
    const message = `/v${metadata.version}${route} leads to ${whose} already.`;
    problems.push({ code: 'NOT_UNIQUE', path: ['route'], message, fix: 'Choose another route.' });
  }
  const field = fieldName(metadata);
  const sameField = others.find((other) => other.projectId === row.projectId && fieldName(other) === field);
  if (sameField) {
    const message = `"${sameField.name}" version ${sameField.version} is the field ${field} in GraphQL already.`;
    problems.push({ code: 'NOT_UNIQUE', path: ['metadata', 'name'], message, fix: 'Choose another name.' });
  }
  if (!sameField) {
    const own = others.filter((other) => other.projectId === row.projectId);
    problems.push(...(await sameTypes(tx, own, declaration)));
  }
  if (problems.length > 0) throw new InputError(problems);
}

/** Types of two endpoints cannot have one name: "users_connection" is what the rows of "users" come in. */
async function sameTypes(
  tx: Tx,
  others: readonly { id: string; name: string; version: number }[],
  declaration: Declaration,
): Promise<Problem[]> {
  const prefix = typeName(declaration.metadata);
  // Names of types begin with that of their endpoint: of the others no declaration is read.
  const near = others.filter(
    (other) => typeName(other).startsWith(prefix) || prefix.startsWith(typeName(other)),
  );
  if (near.length === 0) return [];
  const rows = await tx.endpoint.findMany({
    where: { id: { in: near.map(({ id }) => id) } },
    select: { name: true, version: true, served: true },
  });
  const own = new Set(typeNames(declaration));
  return rows.flatMap(({ name, version, served }): Problem[] => {
    const types = typeNames((served as unknown as ServedRecord).declaration);
    const same = types.find((type) => own.has(type));
    if (same === undefined) return [];
    const message = `"${name}" version ${version} has the type ${same} in GraphQL already.`;
    return [{ code: 'NOT_UNIQUE', path: ['metadata', 'name'], message, fix: 'Choose another name.' }];
  });
}
