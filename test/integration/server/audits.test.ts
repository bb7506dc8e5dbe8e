import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScratch, type ScratchServer } from './open-scratch.ts';

let server: ScratchServer;
beforeAll(async () => {
  server = await openScratch();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("graphql-http's audits of GraphQL over HTTP", () => {
  for (const audit of serverAudits({ url: () => `${server.url}/graphql`, fetchFn: fetch })) {
    test(`${audit.id} ${audit.name}`, async () => {
      const result = await audit.fn();
      expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
    });
  }
});
