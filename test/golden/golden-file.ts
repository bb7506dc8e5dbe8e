import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

/** Golden files are written anew, to be looked at and committed, with UPDATE_GOLDEN=1. */
export const isUpdated = process.env.UPDATE_GOLDEN === '1';

/** Fails when the file of this folder does not hold exactly the text. */
export async function expectGolden(text: string, ...path: string[]): Promise<void> {
  if (isUpdated) {
    await mkdir(dirname(fileOf(path)), { recursive: true });
    await writeFile(fileOf(path), text);
  }
  expect(text).toBe(await readGolden(...path));
}

export async function readGolden(...path: string[]): Promise<string> {
  return await readFile(fileOf(path), 'utf8').catch(() => '');
}

const fileOf = (path: readonly string[]) => join(import.meta.dirname, ...path);

/** A block of a Markdown file. */
export const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;

/** A statement with one clause a line, for whoever reads a change of it. */
export function broken(sql: string): string {
  return sql.replaceAll(/(?<!DISTINCT) (FROM|WHERE|GROUP BY|LEFT JOIN|INNER JOIN) /g, '\n$1 ');
}
