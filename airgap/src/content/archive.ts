import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isDelosError } from '@delos/core';
import { extract } from 'tar-stream';
import { openPromise } from 'yauzl';
import { contentError } from './content.ts';

/*
 * Archives that somebody unpacks at the site: a name that leads out of the folder that they are unpacked in, or a link, writes
 * where nobody looks. Such an archive does not get into a bundle.
 */

/** How many entries are read, and how many bytes a compressed archive may become. */
const MOST_ENTRIES = 500_000;
const MOST_BYTES = 64 * 2 ** 30;

const KINDS = [
  { ends: ['.whl', '.zip', '.jar'], read: readZip },
  { ends: ['.tgz', '.tar.gz'], read: (path: string, look: Look) => readTar(path, look, true) },
  { ends: ['.tar'], read: (path: string, look: Look) => readTar(path, look, false) },
] as const;

/** @param kind undefined: a plain file or folder */
type Look = (name: string, kind: 'link' | 'device' | undefined) => void;

/**
 * Looks at each name of an archive; a file of another kind is no archive, and nothing is looked at.
 * @throws DelosError ERR_BUNDLE_CONTENT naming archive and entry
 */
export async function checkArchive(path: string): Promise<void> {
  const kind = KINDS.find(({ ends }) => ends.some((end) => path.endsWith(end)));
  if (kind === undefined) return;
  let entries = 0;
  const refuse = (what: string): Error =>
    contentError(`${path}: ${what}`, 'pack it again with plain files and folders alone');
  try {
    await kind.read(path, (name, special) => {
      entries += 1;
      const shown = JSON.stringify(name.slice(0, 200));
      if (entries > MOST_ENTRIES) throw refuse(`it has more than ${MOST_ENTRIES} entries`);
      if (special === 'link') throw refuse(`its entry ${shown} is a link`);
      if (special === 'device') throw refuse(`its entry ${shown} is neither a file nor a folder`);
      if (leadsOut(name)) throw refuse(`its entry ${shown} leads out of the folder that it is unpacked in`);
    });
  } catch (error) {
    if (isDelosError(error)) throw error;
    throw refuse(`it cannot be read as an archive: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether a name of an entry is one outside of the folder, to any system that may unpack it. */
export function leadsOut(name: string): boolean {
  const parts = name.split(/[/\\]/);
  return name === '' || name.includes('\0') || /^([/\\]|[A-Za-z]:)/.test(name) || parts.includes('..');
}

async function readTar(path: string, look: Look, zipped: boolean): Promise<void> {
  const tar = extract();
  let bytes = 0;
  const count = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      bytes += piece.length;
      if (bytes > MOST_BYTES) throw new Error(`it becomes more than ${MOST_BYTES} bytes`);
      yield piece;
    }
  };
  let refusal: unknown;
  const read = async (): Promise<void> => {
    try {
      for await (const entry of tar) {
        const { name, type } = entry.header;
        const plain = type === 'file' || type === 'directory' || type === 'contiguous-file';
        look(name, type === 'symlink' || type === 'link' ? 'link' : plain ? undefined : 'device');
        entry.resume();
      }
    } catch (error) {
      refusal = error;
      tar.destroy();
    }
  };
  const source = createReadStream(path);
  const sent = zipped ? pipeline(source, createGunzip(), count, tar) : pipeline(source, count, tar);
  await Promise.all([sent, read()]).catch((error: unknown) => {
    // What ended the reader is the reason; the stream then only says that it was ended.
    throw refusal ?? error;
  });
  if (refusal !== undefined) throw refusal;
}

async function readZip(path: string, look: Look): Promise<void> {
  // Names are told as they are: to refuse them is a matter of whoever looks.
  const zip = await openPromise(path, { decodeStrings: false });
  try {
    for await (const entry of zip.eachEntry()) {
      // The upper half is what UNIX calls the mode; a link is 0o12 there.
      const format = (entry.externalFileAttributes >>> 28) & 0o17;
      look(
        entry.fileNameRaw.toString('utf8'),
        format === 0o12 ? 'link' : [0, 0o4, 0o10].includes(format) ? undefined : 'device',
      );
    }
  } finally {
    zip.close();
  }
}
