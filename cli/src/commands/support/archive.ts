import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** A file of the archive. */
export interface Entry {
  readonly path: string;
  readonly text: string;
}

/**
 * Writes entries as they come into one compressed archive that its owner alone may read: whole, or not at all.
 * @throws Error of the file system, or of the entries
 */
export async function writeArchive(file: string, entries: AsyncIterable<Entry>): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.part`;
  const archive = pack();
  const filling = (async () => {
    try {
      for await (const { path, text } of entries) {
        await new Promise<void>((resolve, reject) => {
          archive.entry({ name: path, mode: 0o600 }, text, (error) => (error ? reject(error) : resolve()));
        });
      }
      archive.finalize();
    } catch (error) {
      archive.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  })();
  try {
    const written = pipeline(archive, createGzip(), createWriteStream(part, { mode: 0o600, flags: 'w' }));
    await Promise.all([filling, written]);
    renameSync(part, file);
  } finally {
    rmSync(part, { force: true });
  }
}
