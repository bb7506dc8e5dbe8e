import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getOperationAST, OperationTypeNode, parse } from 'graphql';
import type { Viewer } from '#accounts/viewer.ts';
import type { Data, TestGraphql, Variables } from './graphql.ts';

const docs = join(import.meta.dirname, '..', '..', 'docs');

/** A fenced block of a page of docs/, and the line of text before it. */
interface DocBlock {
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

/**
 * Does what a reader does with a block: runs it with the ids of the answers so far as variables, each by the name of what
 * has it. A subscription is followed to its end, and its last event is the answer.
 */
export async function runBlock(
  gql: TestGraphql,
  viewer: Viewer,
  text: string,
  ids: Variables,
): Promise<Data> {
  let answer: Data;
  if (getOperationAST(parse(text))?.operation === OperationTypeNode.SUBSCRIPTION) {
    for await (const { data } of gql.follow(viewer, text, ids)) answer = data;
  } else {
    answer = await gql.ask(viewer, text, ids);
  }
  keepIds(answer, ids);
  return answer;
}

function keepIds(value: unknown, ids: Variables): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (typeof each === 'object' && each !== null && 'id' in each) ids[name] = each.id;
    keepIds(each, ids);
  }
}
