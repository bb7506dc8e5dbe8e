import { expect } from 'vitest';
import type { Serving } from '#server/serve.ts';
import type { Data } from './graphql.ts';

/** What the gateway answers over HTTP to whom the token is; it must be without errors. */
export async function askOverHttp({ url }: Serving, token: string, query: string): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}
