import { isUtf8 } from 'node:buffer';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Declaration } from './declaration.ts';
import { fieldName } from './names.ts';
import { type FileProblem, type PlaceOf, readYaml, yamlBytesMax } from './read-yaml.ts';

/** A file of the endpoints folder: what it declares, or everything wrong with it. */
export interface EndpointFile {
  /** Within the folder, with "/". */
  name: string;
  declaration: Declaration | null;
  /** Where a path of the declaration stands in the file. */
  placeOf: PlaceOf;
  problems: FileProblem[];
}

/**
 * Reads every .yaml and .yml file of the folder and of those in it, hidden ones left out, links followed. Of two files that
 * declare the same name and version, the same route or the same GraphQL field, the later by name is wrong. Empty for a folder
 * that is not there.
 */
export async function readFolder(folder: string): Promise<EndpointFile[]> {
  const found = await filesIn(folder);
  const files = await Promise.all(found.map(({ name }) => readEndpointFile(folder, name)));
  return refuseTwins(files.filter((file) => file !== null));
}

/** What is another text as soon as a file of the folder comes, goes or changes, or the folder is another one. */
export async function stateOfFolder(folder: string): Promise<string> {
  const found = await filesIn(folder);
  return found.map(({ name, state }) => `${name} ${state}`).join('\n');
}

/** Where the folder lies when links are followed; its name while it is not there. */
export function placeOfFolder(folder: string): Promise<string> {
  return realpath(folder).catch(() => resolve(folder));
}

interface FoundFile {
  /** Within the folder, with "/". */
  name: string;
  /** Its place on the disk, its size, and when it was changed. */
  state: string;
}

async function filesIn(folder: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const enter = async (at: string, around: ReadonlySet<string>): Promise<void> => {
    const real = await realpath(join(folder, at)).catch(nothing);
    // A link to a folder around it would be entered for ever.
    if (real === null || around.has(real)) return;
    const names = (await readdir(real).catch(nothing)) ?? [];
    for (const name of names.filter((each) => !each.startsWith('.'))) {
      const path = at === '' ? name : `${at}/${name}`;
      const isYaml = /\.ya?ml$/i.test(name);
      const status = await stat(join(real, name)).catch(isYaml ? unreadable : nothing);
      if (status?.isDirectory()) await enter(path, new Set([...around, real]));
      else if (isYaml && status?.isFile() !== false) {
        found.push({ name: path, state: status ? `${status.ino} ${status.size} ${status.mtimeMs}` : '' });
      }
    }
  };
  await enter('', new Set());
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** What is not there, or by now no folder, holds nothing; of all else it is not known what it holds. */
function nothing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ELOOP') return null;
  throw error;
}

/** Reading it says what is wrong. */
function unreadable(): null {
  return null;
}

/** Null for a file that is gone by now. */
async function readEndpointFile(folder: string, name: string): Promise<EndpointFile | null> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > yamlBytesMax) return wrong(name, `It has ${size} bytes; ${yamlBytesMax} are allowed.`);
    const bytes = await readFile(path);
    if (!isUtf8(bytes)) return wrong(name, 'It is not UTF-8.');
    const read = readYaml(bytes.toString('utf8'));
    return 'declaration' in read
      ? { name, ...read, problems: [] }
      : { name, declaration: null, placeOf: atBeginning, problems: read.problems };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === undefined) throw error;
    return wrong(name, `It cannot be read: ${code}.`);
  }
}

const atBeginning: PlaceOf = () => ({ line: 1, column: 1 });

function wrong(name: string, message: string): EndpointFile {
  const problem: FileProblem = { code: 'INVALID', path: [], message, ...atBeginning([]) };
  return { name, declaration: null, placeOf: atBeginning, problems: [problem] };
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
