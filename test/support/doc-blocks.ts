import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const docs = join(import.meta.dirname, '..', '..', 'docs');

/** A fenced block of a page of docs/, and the line of text before it. */
export interface DocBlock {
  language: string;
  text: string;
  before: string;
}

/** The fenced blocks of a page, in order. */
export async function docBlocks(page: string): Promise<DocBlock[]> {
  const text = await readFile(join(docs, page), 'utf8');
  return [...text.matchAll(/([^\n]*)\n+```(\w+)\n([\s\S]*?)```/g)].map(
    ([, before = '', language = '', block = '']) => ({ language, text: block, before }),
  );
}
