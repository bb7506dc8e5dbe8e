import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Declaration } from './declaration.ts';
import { fieldName } from './names.ts';
import { type FileProblem, readYaml, yamlBytesMax } from './read-yaml.ts';

/** A file of the endpoints folder: what it declares, or everything wrong with it. */
export interface EndpointFile {
  /** Within the folder, with "/". */
  name: string;
  declaration: Declaration | null;
  problems: FileProblem[];
}

/**
 * Reads every .yaml and .yml file of the folder and of those in it, hidden ones left out. Of two files that declare the same
 * name and version, the same route or the same GraphQL field, the later by name is wrong. Empty for a folder that is not
 * there.
 */
export async function readFolder(folder: string): Promise<EndpointFile[]> {
  const names = (await readdir(folder, { recursive: true }).catch(nothing))
    .map((name) => name.replaceAll(sep, '/'))
    .filter((name) => /\.ya?ml$/i.test(name) && !name.split('/').some((part) => part.startsWith('.')))
    .sort();
  const files = await Promise.all(names.map((name) => readEndpointFile(folder, name)));
  return refuseTwins(files.filter((file) => file !== null));
}

function nothing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/** Null for a file that is gone by now. */
async function readEndpointFile(folder: string, name: string): Promise<EndpointFile | null> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > yamlBytesMax) return wrong(name, `It has ${size} bytes; ${yamlBytesMax} are allowed.`);
    const read = readYaml(await readFile(path, 'utf8'));
    return 'declaration' in read
      ? { name, declaration: read.declaration, problems: [] }
      : { name, declaration: null, problems: read.problems };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === undefined) throw error;
    return wrong(name, `It cannot be read: ${code}.`);
  }
}

function wrong(name: string, message: string): EndpointFile {
  return { name, declaration: null, problems: [{ code: 'INVALID', path: [], message, line: 1, column: 1 }] };
}

/** What tells endpoints apart, each by what it is for people. */
const identities: ((declaration: Declaration) => string)[] = [
  ({ metadata }) => `version ${metadata.version} of "${metadata.name}"`,
  ({ metadata, route }) => `/v${metadata.version}${route}`,
  ({ metadata }) => `the GraphQL field ${fieldName(metadata)}`,
];

function refuseTwins(files: readonly EndpointFile[]): EndpointFile[] {
  const owners = new Map<string, string>();
  return files.map((file) => {
    const { declaration } = file;
    if (!declaration) return file;
    const taken = identities.map((of) => of(declaration)).find((identity) => owners.has(identity));
    if (taken !== undefined)
      return wrong(file.name, `The file ${owners.get(taken)} declares ${taken} already.`);
    for (const of of identities) owners.set(of(declaration), file.name);
    return file;
  });
}

/** "users.yaml:3:12: message", as compilers write it, and below it what to do. */
export function problemLine(file: string, { line, column, message, fix }: FileProblem): string {
  return `${file}:${line}:${column}: ${message}${fix === undefined ? '' : `\n  ${fix}`}`;
}
