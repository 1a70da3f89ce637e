import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { COPY_AGAIN, type Fault, FaultFound } from '../format/fault.ts';
import { INDEX_FILE, KEYS_FOLDER, PACKS_FOLDER, SIGNATURE_FILE } from '../format/index-schema.ts';

/** More entries than any bundle has: a folder is not read without end. */
const MOST_ENTRIES = 50_000;
/** Which tools of file systems leave on a medium, and nobody has put there. */
const OF_THE_MEDIUM = new Set(['lost+found', 'System Volume Information', '.Trash-0', '.Trash-1000', '.fseventsd']);

/** Opens a plain file of a bundle, following no link. @throws FaultFound */
export async function openFile(folder: string, file: string): Promise<{ handle: FileHandle; size: number }> {
  let handle: FileHandle;
  try {
    handle = await open(join(folder, file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new FaultFound(unreadable(file, error));
  }
  const found = await handle.stat();
  if (found.isFile()) return { handle, size: found.size };
  await handle.close();
  throw new FaultFound(noFile(file, found.isDirectory() ? 'a folder' : 'no plain file'));
}

/** A short file as a whole. @throws FaultFound for one that is absent, longer than `most`, or no plain file */
export async function readFile(folder: string, file: string, most: number): Promise<Buffer> {
  const { handle, size } = await openFile(folder, file);
  try {
    if (size > most) {
      throw new FaultFound({
        kind: 'file-too-long',
        message: `${file} has ${size} bytes, and at most ${most} are read`,
        todo: COPY_AGAIN,
        file,
      });
    }
    const bytes = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await handle.read(bytes, at, size - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  } finally {
    await handle.close();
  }
}

/** What lies in a folder of a bundle, each a plain file, in the order of their names; none where it is not there. @throws FaultFound */
export async function filesOf(folder: string, sub: string): Promise<readonly string[]> {
  const found = await lstat(join(folder, sub)).catch(() => undefined);
  if (found === undefined) return [];
  if (!found.isDirectory()) throw new FaultFound(noFile(sub, 'no folder'));
  const entries = await readdir(join(folder, sub), { withFileTypes: true });
  if (entries.length > MOST_ENTRIES) {
    throw new FaultFound({
      kind: 'file-unexpected',
      message: `${sub} has ${entries.length} files, and no bundle has more than ${MOST_ENTRIES}`,
      todo: 'name the folder of a bundle',
      file: sub,
    });
  }
  const strange = entries.find((entry) => !entry.isFile());
  if (strange !== undefined) throw new FaultFound(noFile(`${sub}/${strange.name}`, 'no plain file'));
  return entries.map(({ name }) => name).toSorted();
}

/** What lies beside the parts of a bundle and is none. */
export async function strangersIn(folder: string): Promise<readonly Fault[]> {
  const own: readonly string[] = [INDEX_FILE, SIGNATURE_FILE, PACKS_FOLDER, KEYS_FOLDER];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new FaultFound(unreadable('', error));
  });
  return entries
    .filter(({ name }) => !own.includes(name) && !OF_THE_MEDIUM.has(name))
    .map(({ name }) => stranger(name));
}

export const stranger = (file: string): Fault => ({
  kind: 'file-unexpected',
  message: `${file} is no part of this bundle: its index does not name it`,
  todo: 'take it away, or name the folder of the bundle alone',
  file,
});

function noFile(file: string, what: string): Fault {
  return { kind: 'file-kind', message: `${file} is ${what}: a bundle has plain files alone`, todo: COPY_AGAIN, file };
}

function unreadable(file: string, error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const name = file === '' ? 'the folder' : file;
  const shared = file === '' ? {} : { file };
  if (code === 'ELOOP') return noFile(file, 'a link');
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const todo = file === '' ? 'name the folder that has bundle.json' : COPY_AGAIN;
    return { kind: 'file-missing', message: `${name} is not there`, todo, ...shared };
  }
  const message = `${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  return { kind: 'file-missing', message, todo: 'look at the medium, then run this again', ...shared };
}
