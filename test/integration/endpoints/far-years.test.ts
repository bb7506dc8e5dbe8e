import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EndpointLab, type LabStore, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

/** In their order, as REST gives them. */
const days = [
  '-infinity',
  '-004712-01-01',
  '-000043-03-15',
  '0000-12-31',
  '0001-01-01',
  '2026-11-21',
  '9999-12-31',
  '+010000-01-01',
  '+012345-06-15',
  'infinity',
];
const clock = (day: string, time: string) => (day.endsWith('infinity') ? day : `${day}${time}`);

/** How each engine writes those of its own. */
const spelled: Record<LabStore, (day: string, time: string) => string> = {
  warehouse: (day, time) => clock(day.replace(/^\+0*/, ''), time && ` ${time}`),
  hot: (day, time) =>
    day.startsWith('-0') || day.startsWith('0000')
      ? `${String(1 - Number(/^-?\d+/.exec(day)![0])).padStart(4, '0')}${/-\d\d-\d\d$/.exec(day)![0]} ${time} BC`
      : clock(day.replace(/^\+0*/, ''), time && ` ${time}`),
};

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  for (const datastore of labStores) {
    const rows = days.map((day, n) => {
      const [date, moment] = [spelled[datastore](day, ''), spelled[datastore](day, '03:04:05.123456')];
      return `(${n}, CAST('${date}' AS DATE), CAST('${moment}' AS TIMESTAMP), CAST('${moment}' AS TIMESTAMPTZ))`;
    });
    for (const column of ['day', 'local', 'moment']) {
      await publish(lab.gql, lab.viewer, {
        metadata: { name: `${column}s_${datastore}`, version: 1 },
        route: `/${datastore}/${column}s`,
        datastore,
        query: `SELECT n, day, local, moment FROM (VALUES ${rows.join(', ')}) AS t(n, day, local, moment)`,
        pagination: { key: [column] },
      });
    }
  }
});
afterAll(() => lab[Symbol.asyncDispose]());

describe.each(labStores)('on %s', (datastore) => {
  test.each([
    ['day', ''],
    ['local', 'T03:04:05.123456Z'],
    ['moment', 'T03:04:05.123456Z'],
  ])('pages in the order of %s go through all years that there are, and back', async (column, time) => {
    const page = async (query: string) => {
      const { status, text } = await lab.call(`v1/${datastore}/${column}s?${query}`);
      expect([status, text]).toEqual([200, text]);
      return JSON.parse(text) as {
        data: Record<string, string>[];
        paging: { after: string | null; before: string | null };
      };
    };
    const forward: string[] = [];
    let { data, paging } = await page('first=1');
    for (;;) {
      forward.push(data[0]![column]!);
      if (paging.after === null) break;
      ({ data, paging } = await page(`first=1&after=${paging.after}`));
    }
    expect(forward).toEqual(days.map((day) => clock(day, time)));
    const back: string[] = [];
    while (paging.before !== null) {
      ({ data, paging } = await page(`last=1&before=${paging.before}`));
      back.push(data[0]![column]!);
    }
    expect(back.toReversed()).toEqual(forward.slice(0, -1));
  });

  test('GraphQL gives those of four digits, and says which value it cannot give', async () => {
    const field = `days${datastore === 'hot' ? 'Hot' : 'Warehouse'}`;
    const asked = `{ data { ${field} { nodes { n local moment } } } }`;
    const { data, errors } = await lab.gql.answer(lab.viewer, asked);
    expect(data.data[field].nodes.map(({ local }: { local: string | null }) => local)).toEqual(
      days.map((day) => (/^\d{4}-/.test(day) ? `${day}T03:04:05.123Z` : null)),
    );
    expect(errors).toHaveLength(2 * 6);
    for (const { extensions } of errors) expect(extensions['code']).toBe('BAD_USER_INPUT');
    expect(errors.map(({ message }) => message)).toContain(
      'The column "moment" holds -000043-03-15T03:04:05.123456Z, which no DateTime is: they have years from 0000 to 9999.',
    );
    const keys = await lab.gql.answer(lab.viewer, `{ data { ${field} { nodes { day } } } }`);
    expect(keys.errors[0]!.message).toBe(
      'The column "day" holds -infinity, which no Date is: they have years from 0000 to 9999.',
    );
  });
});
