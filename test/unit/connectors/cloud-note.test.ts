import { describe, expect, test } from 'vitest';
import {
  readPartNote,
  readPublishNote,
  writePartNote,
  withWords,
  writePublishNote,
} from '#connectors/datastore/cloud-note.ts';

const publish = { job: 'j', stream: 's', task: 't' };

describe('the note of a part', () => {
  test('is read as it was written, whatever the part is called', () => {
    const part = { partId: `it's "one" \\ \n 漢字`, rows: 2n ** 62n, bytes: 0n, shape: 'abc' };
    expect(readPartNote(writePartNote(part))).toEqual(part);
  });

  test('is nothing that people write', () => {
    for (const note of ['', 'sluice', '{"part":"p"}', 'Orders of the shop']) {
      expect(readPartNote(note)).toBeNull();
    }
  });
});

describe('the note of a publish', () => {
  test('stands behind what people wrote, in place of the one before', () => {
    const first = writePublishNote('Orders.\nAsk Ada [ask first].', publish, 4_000);
    const second = writePublishNote(first, { ...publish, task: 'u' }, 4_000);
    expect(readPublishNote(first)).toEqual(publish);
    expect(readPublishNote(second)).toEqual({ ...publish, task: 'u' });
    expect(second.split('\n').slice(0, 2)).toEqual(['Orders.', 'Ask Ada [ask first].']);
    expect(second.match(/\[sluice/g)).toHaveLength(1);
  });

  test('is whole where there is little room: what people wrote gives way', () => {
    const note = writePublishNote('x'.repeat(500), publish, 100);
    expect(note.length).toBeLessThanOrEqual(100);
    expect(readPublishNote(note)).toEqual(publish);
  });

  test('takes the words that another place has of the table, and no other publish', () => {
    const logged = writePublishNote('Old words.', publish, 4_000);
    const stale = writePublishNote('New words.', { ...publish, task: 'old' }, 4_000);
    for (const [seen, words] of [
      ['New words.', 'New words.\n'],
      [stale, 'New words.\n'],
      ['', ''],
      [logged, 'Old words.\n'],
    ] as const) {
      const note = withWords(logged, seen);
      expect(readPublishNote(note)).toEqual(publish);
      expect(note.startsWith(`${words}[sluice `)).toBe(true);
    }
    expect(withWords('', 'Words.')).toBe('Words.');
  });

  test('is none where there is none, or a broken one', () => {
    for (const note of ['', 'Orders', '[sluice {"job":', '[sluice {nonsense}]'])
      expect(readPublishNote(note)).toBeNull();
  });
});
