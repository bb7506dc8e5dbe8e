import { demand } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { App } from '#app.ts';
import { declarationSchema } from '#endpoints/declaration-schema.ts';
import { contentTypes } from './formats.ts';
import { answerMethod, failure, type RestAnswer } from './call.ts';
import { openApiOf } from './openapi.ts';

/** What tells of the endpoints, below /api; undefined for any other path. */
export async function answerDescription(
  app: App,
  asked: { path: string; method: string; viewer: Viewer | null; requestId: string },
): Promise<RestAnswer | undefined> {
  if (asked.path !== 'endpoint.schema.json' && asked.path !== 'openapi.json') return undefined;
  const other = answerMethod(app, asked);
  if (other) return other;
  if (asked.path === 'endpoint.schema.json') {
    // Editors read it without signing in, from wherever they are.
    return json(declarationSchema, {
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=3600',
    });
  }
  try {
    demand(asked.viewer, 'SIGNED_IN');
    const { all } = await app.endpoints.registry.of(asked.viewer!.projectId);
    return json(openApiOf(all), { 'cache-control': 'private, no-cache' });
  } catch (error) {
    return failure(app, asked, error);
  }
}

function json(body: unknown, headers: Record<string, string>): RestAnswer {
  return {
    status: 200,
    headers: { ...headers, 'content-type': contentTypes.json },
    body: JSON.stringify(body),
  };
}
