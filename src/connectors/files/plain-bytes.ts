import type { FileHandle } from 'node:fs/promises';
import { pipeline as pipe, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from './file-format.ts';

/** The bytes of an open file, decompressed. The handle stays open; the reading fails when the file is cut off or corrupt. */
export function plainBytes(handle: FileHandle, compression: Compression): AsyncIterable<Buffer> {
  if (compression === 'none') return chunksOf(handle);
  const plain = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  // The error reaches whoever reads `plain`.
  return pipe(Readable.from(chunksOf(handle), { objectMode: false }), plain, () => {});
}

/**
 * Reads a compressed file to its end and its checksum. DuckDB does not: it takes a gzip file that is cut off for a shorter
 * one (measured: 199,912 of 200,000 rows and no error). Runs beside the scan, at about 100 MB/s of decompressed bytes.
 */
export async function refuseDamage(
  handle: FileHandle,
  compression: Compression,
  signal: AbortSignal,
): Promise<void> {
  if (compression === 'none') return;
  for await (const _chunk of plainBytes(handle, compression)) signal.throwIfAborted();
}

/** A stream over the handle would close it when it is destroyed; the handle outlives this reading. */
async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  const chunkBytes = 64 * 1024;
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
