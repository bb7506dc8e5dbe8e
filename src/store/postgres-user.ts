import { execFile } from 'node:child_process';
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '#base/errors.ts';

const run = promisify(execFile);

/** As whom PostgreSQL runs, which refuses to run as root. */
export interface PostgresUser {
  /** Who must own what PostgreSQL writes. Null when it runs as the same user as this process. */
  owner: { uid: number; gid: number } | null;
  /** The command that runs a program of PostgreSQL as this user, for spawn. */
  command(program: string, args: string[]): { file: string; args: string[]; uid?: number; gid?: number };
}

/**
 * Whoever this process is; for root the owner of existing data, else the user postgres, else nobody: no user is made.
 * Where that user cannot pass through to the programs or the data (below a folder of mode 0700, such as /root or what
 * mktemp -d makes), PostgreSQL gets the one capability to read and search past permissions, through setpriv of
 * util-linux. Fails with an AppError when nothing of that is possible.
 */
export async function choosePostgresUser(options: {
  binDir: string;
  /** The folder to be, or being, PostgreSQL's own. */
  folder: string;
  dataOwner: { uid: number; gid: number } | null;
}): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return { owner: null, command: (file, args) => ({ file, args }) };
  const owner = options.dataOwner ?? (await idsOf('postgres')) ?? (await idsOf('nobody'));
  if (!owner)
    throw new AppError(
      'BAD_USER_INPUT',
      'PostgreSQL refuses to run as root, and there is no other user here.',
      { fix: ways },
    );
  const programs = await realpath(options.binDir);
  const place = await realpath(path.dirname(options.folder));
  const closed = (await firstClosed(programs, owner)) ?? (await firstClosed(place, owner));
  if (!closed) return { owner, command: (file, args) => ({ file, args, ...owner }) };
  const setpriv = await setprivArgs(owner);
  if (setpriv)
    return { owner, command: (file, args) => ({ file: 'setpriv', args: [...setpriv, file, ...args] }) };
  const message = `PostgreSQL refuses to run as root, and the user with id ${owner.uid}, whom it would run as, may not enter ${closed}.`;
  throw new AppError('BAD_USER_INPUT', message, { fix: `Run "chmod o+x ${closed}", or: ${ways}` });
}

const ways =
  'Start Sluice as an ordinary user, or set DATABASE_URL to a PostgreSQL server that runs already.';

async function idsOf(user: string): Promise<{ uid: number; gid: number } | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/** The first folder on the way to `folder`, itself included, that the user may not enter; by mode bits alone. */
async function firstClosed(folder: string, user: { uid: number; gid: number }): Promise<string | null> {
  const parent = path.dirname(folder);
  if (parent !== folder) {
    const above = await firstClosed(parent, user);
    if (above) return above;
  }
  const { mode, uid, gid } = await stat(folder);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return mode & bit ? null : folder;
}

/**
 * PostgreSQL asks access(2) about its own programs, which forgets a capability unless no_setuid_fixup is set (tried:
 * "invalid binary … Permission denied" without). Searching suffices, overriding is for containers that lack it.
 */
async function setprivArgs(user: { uid: number; gid: number }): Promise<string[] | null> {
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  for (const capability of ['dac_read_search', 'dac_override']) {
    const args = [
      ...identity,
      '--securebits=+no_setuid_fixup',
      `--inh-caps=+${capability}`,
      `--ambient-caps=+${capability}`,
    ];
    try {
      await run('setpriv', [...args, 'true']);
      return args;
    } catch {
      // The container withholds the capability, or there is no setpriv: the next is tried, then the error says so.
    }
  }
  return null;
}
