import { createDecipheriv, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';

/**
 * The user's stage, as Snowflake has it on Google Cloud: PUT is answered with a place and a token, and the client itself
 * encrypts the file and uploads it there. Files lie here as they were before.
 */
export class Stage {
  readonly folder: string;
  readonly #token = randomBytes(16).toString('hex');
  readonly #masterKey = randomBytes(32);
  /** So many uploads more are cut off in the middle. */
  cuts = 0;
  /** So many more are never answered. */
  stalls = 0;
  stalled = 0;
  /** So many times more nothing is removed. */
  kept = 0;
  uploads = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What a PUT is answered with. */
  put(text: string, queryId: string, endPoint: string): object {
    const [, source, target] = tokensOf(text).flatMap((token) => (token.kind === 'name' ? [] : [token.text]));
    return {
      command: 'UPLOAD',
      queryId,
      src_locations: [source!.replace('file://', '')],
      autoCompress: false,
      sourceCompression: 'auto_detect',
      overwrite: true,
      parallel: 4,
      stageInfo: {
        locationType: 'GCS',
        location: `stage/${target!.replace('@~/', '')}/`,
        region: 'local',
        endPoint,
        creds: { GCS_ACCESS_TOKEN: this.#token },
      },
      encryptionMaterial: {
        queryStageMasterKey: this.#masterKey.toString('base64'),
        queryId,
        smkId: 7,
      },
    };
  }

  /** The cloud's side of it: PUT takes a file, HEAD says whether it is there. */
  async answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = this.path(path.replace(/^\/stage\//, ''));
    if (request.headers.authorization !== `Bearer ${this.#token}`) {
      response.writeHead(401).end();
      return;
    }
    if (request.method === 'PUT' && this.cuts > 0) {
      this.cuts -= 1;
      request.once('data', () => request.destroy());
      return;
    }
    if (request.method === 'PUT' && this.stalls > 0) {
      this.stalls -= 1;
      this.stalled += 1;
      request.resume();
      return;
    }
    if (request.method === 'PUT') {
      const plain = this.#decrypted(await buffer(request), request.headers);
      mkdirSync(join(file, '..'), { recursive: true });
      await writeFile(file, plain);
      this.uploads += 1;
      response.writeHead(200).end();
      return;
    }
    const found = await stat(file).catch(() => null);
    response.writeHead(found ? 200 : 404).end();
  }

  /** Removes the files of a folder. */
  async remove(folder: string): Promise<void> {
    await rm(this.path(folder), { recursive: true, force: true });
  }

  /** All files: their names in the stage, sizes, and when they were put there. */
  async list(): Promise<{ name: string; bytes: number; modifiedAt: Date }[]> {
    const found = await readdir(this.folder, { recursive: true, withFileTypes: true });
    const files = found
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    return Promise.all(
      files.map(async (path) => {
        const { size, mtime } = await stat(path);
        return { name: path.slice(this.folder.length + 1), bytes: size, modifiedAt: mtime };
      }),
    );
  }

  /** Makes all files look as if they were put there so long ago. */
  async age(ms: number): Promise<void> {
    for (const { name, modifiedAt } of await this.list()) {
      const at = new Date(modifiedAt.getTime() - ms);
      await utimes(this.path(name), at, at);
    }
  }

  /** LIST as a SELECT: what it says of the files of a folder. */
  async listSql(folder: string): Promise<string> {
    const rows = (await this.list())
      .filter(({ name }) => name.startsWith(folder))
      .map(({ name, bytes, modifiedAt }) => `('${name}', ${bytes}, '', '${modifiedAt.toUTCString()}')`);
    const none = "SELECT '' AS name, 0 AS size, '' AS md5, '' AS last_modified WHERE FALSE";
    return rows.length === 0
      ? none
      : `SELECT * FROM (VALUES ${rows.join(', ')}) AS t (name, size, md5, last_modified)`;
  }

  /** Spoils all files. */
  async spoil(): Promise<void> {
    for (const entry of await readdir(this.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name));
      await writeFile(join(entry.parentPath, entry.name), bytes.subarray(0, bytes.length / 2));
    }
  }

  path(name: string): string {
    return join(
      this.folder,
      ...name
        .split('/')
        .filter((part) => part !== '')
        .map((part) => basename(part)),
    );
  }

  /** Each file has a key of its own, which comes with it, encrypted with that of the stage. */
  #decrypted(bytes: Buffer, headers: IncomingMessage['headers']): Buffer {
    const { WrappedContentKey, ContentEncryptionIV } = JSON.parse(
      String(headers['x-goog-meta-encryptiondata']),
    ) as { WrappedContentKey: { EncryptedKey: string }; ContentEncryptionIV: string };
    const wrapped = createDecipheriv('aes-256-ecb', this.#masterKey, null);
    const key = Buffer.concat([
      wrapped.update(Buffer.from(WrappedContentKey.EncryptedKey, 'base64')),
      wrapped.final(),
    ]);
    const content = createDecipheriv('aes-256-cbc', key, Buffer.from(ContentEncryptionIV, 'base64'));
    return Buffer.concat([content.update(bytes), content.final()]);
  }
}
