import { randomUUID } from 'node:crypto';
import { access, chmod, constants, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError, messageOf } from '#base/errors.ts';

/**
 * Makes the home folder where it is missing and returns its id, which stays the same as long as the folder does. Fails
 * with an AppError when the home is no folder or may not be written.
 */
export async function prepareHome(home: string): Promise<{ homeId: string }> {
  try {
    const made = await mkdir(home, { recursive: true });
    // Root's PostgreSQL runs as another user, who has to pass through; what lies inside guards itself.
    if (made) await chmod(home, process.getuid?.() === 0 ? 0o711 : 0o700);
    if (!(await stat(home)).isDirectory())
      throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    await access(home, constants.R_OK | constants.W_OK | constants.X_OK);
    return { homeId: await readHomeId(path.join(home, 'home-id')) };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw homeError(home, error);
  }
}

async function readHomeId(file: string): Promise<string> {
  const made = `${file}.${process.pid}`;
  try {
    return await existingHomeId(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Linking fails when another process was first, and never shows a half-written file.
  await writeFile(made, `${randomUUID()}\n`, { mode: 0o644 });
  await link(made, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(made, { force: true });
  return existingHomeId(file);
}

async function existingHomeId(file: string): Promise<string> {
  const id = (await readFile(file, 'utf8')).trim();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw new AppError('BAD_USER_INPUT', `${file} should hold the home's UUID and holds something else.`, {
    fix: 'Put the old content back; if it is lost, remove the file: a new one is made.',
  });
}

function homeError(home: string, error: unknown): AppError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new AppError(
      'BAD_USER_INPUT',
      `SLUICE_HOME is ${home}, and that path holds a file where a folder must be.`,
      {
        cause: error,
        fix: 'Set SLUICE_HOME to a folder, or move the file away.',
      },
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new AppError(
      'BAD_USER_INPUT',
      `SLUICE_HOME is ${home}, which this user may not write to (${code}).`,
      {
        cause: error,
        fix: 'Set SLUICE_HOME to a folder of your own, or give this user the right to write there.',
      },
    );
  }
  return new AppError(
    'BAD_USER_INPUT',
    `SLUICE_HOME is ${home}, which cannot be used: ${messageOf(error)}.`,
    {
      cause: error,
      fix: 'Set SLUICE_HOME to a folder on a disk that works and has room.',
    },
  );
}
