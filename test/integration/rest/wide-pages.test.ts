import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EndpointLab, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  for (const datastore of labStores) {
    const series = datastore === 'hot' ? 'generate_series(1, 70)' : 'range(1, 71)';
    await publish(lab.gql, lab.viewer, {
      metadata: { name: `wide_${datastore}`, version: 1 },
      route: `/wide/${datastore}`,
      datastore,
      query: `SELECT n, repeat('x', 1000000) AS text FROM ${series} AS t(n)`,
      pagination: { key: ['n'] },
    });
  }
});
afterAll(() => lab[Symbol.asyncDispose]());

interface Page {
  data: { n: number }[];
  paging: { after: string | null; before: string | null };
}

test.each(labStores)(
  'on %s a page that is cut where an answer has as many bytes as it may is no last page',
  async (store) => {
    const page = async (query: string): Promise<Page> =>
      JSON.parse((await lab.call(`v1/wide/${store}?${query}`)).text) as Page;
    const numbers = ({ data }: Page) => data.map(({ n }) => n);
    const from = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const first = await page('first=100');
    const { length } = first.data;
    expect([length > 10 && length < 70, numbers(first)]).toEqual([true, from(1, length)]);
    const second = await page(`first=100&after=${first.paging.after}`);
    expect([numbers(second), second.paging.after]).toEqual([from(length + 1, 70), null]);
    const last = Buffer.from(
      JSON.stringify([JSON.parse(Buffer.from(first.paging.after!, 'base64url').toString())[0], '71']),
    ).toString('base64url');
    const back = await page(`last=100&before=${last}`);
    expect(numbers(back)).toEqual(from(71 - back.data.length, 70));
    expect(back.data.length).toBeLessThan(70);
    const begin = await page(`last=100&before=${back.paging.before}`);
    expect([numbers(begin), begin.paging.before]).toEqual([from(1, 70 - back.data.length), null]);
  },
);
