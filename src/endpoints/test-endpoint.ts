import { InputError, type Problem } from '#base/errors.ts';
import { checkDeclaration } from './check-declaration.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { describeEndpoint } from './describe.ts';
import type { ServedRecord } from './served.ts';

/** What would be served by a declaration, of which nothing is saved. Fails as saving and publishing it would for the declaration alone. */
export async function testEndpoint(
  deps: Pick<EndpointDeps, 'store' | 'catalog' | 'now'>,
  projectId: string,
  declaration: unknown,
): Promise<ServedRecord> {
  const refuse = (problems: readonly Problem[]): never => {
    throw new InputError(problems.map((problem) => ({ ...problem, path: ['declaration', ...problem.path] })));
  };
  const problems = checkDeclaration(declaration);
  if (problems.length > 0) refuse(problems);
  try {
    return await describeEndpoint(deps, projectId, declaration as Declaration);
  } catch (error) {
    return error instanceof InputError ? refuse(error.problems) : Promise.reject(error);
  }
}
