import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createZstdCompress } from 'node:zlib';
import { DelosError } from '@delos/core';
import type { Encrypter } from 'age-encryption';
import { type Pack, pack } from 'tar-stream';
import {
  ABOUT,
  type AboutBackup,
  CHUNK_BYTES,
  CONFIG,
  chunkName,
  END,
  FORMAT,
  type Measured,
  SECRETS,
} from './format.ts';

/** What goes into a backup. */
export interface BackupContent {
  readonly about: Omit<AboutBackup, 'format' | 'id'>;
  readonly config: string;
  readonly secrets: string;
  /** The tar that a service writes. Asked for when its turn comes; the signal says that nobody reads on. */
  readonly open: (service: string, signal: AbortSignal) => AsyncIterable<Buffer>;
  readonly onBytes?: (service: string, bytes: number) => void;
}

/** A backup that was written, or read whole. */
export interface BackupSummary {
  readonly about: AboutBackup;
  readonly services: Readonly<Record<string, Measured>>;
}

/** A tar ends with two blocks of zeros (POSIX, pax, "ustar Interchange Format"). */
const END_OF_TAR = 1024;

/**
 * Writes a backup that its owner alone may read: whole, or not at all. Holds a chunk of a service at a time in memory.
 * @throws DelosError ERR_BACKUP for a service whose tar is cut off; whatever reading a service throws
 */
export async function writeBackup(file: string, encrypter: Encrypter, content: BackupContent): Promise<BackupSummary> {
  const part = `${file}.part`;
  const archive = pack();
  const about: AboutBackup = { ...content.about, format: FORMAT, id: randomUUID() };
  const end = new AbortController();
  const output = await open(part, 'w', 0o600);
  try {
    // Whichever fails first says why; what is left of the other ends with its streams.
    const services = await bothOf(fill(archive, about, content, end.signal), seal(archive, encrypter, output));
    await output.sync();
    await output.close();
    await rename(part, file);
    return { about, services };
  } finally {
    end.abort();
    archive.destroy();
    await output.close();
    await rm(part, { force: true });
  }
}

async function bothOf<T>(filling: Promise<T>, sealing: Promise<void>): Promise<T> {
  const [result] = await Promise.all([filling, sealing]);
  return result;
}

/** Compresses, encrypts and writes what comes out of the archive. */
async function seal(archive: Pack, encrypter: Encrypter, output: FileHandle): Promise<void> {
  const compressed = createZstdCompress();
  compressed.on('error', () => undefined);
  archive.on('error', (error) => compressed.destroy(error));
  archive.pipe(compressed);
  const sealed = await encrypter.encrypt(Readable.toWeb(compressed) as ReadableStream<Uint8Array>);
  for await (const bytes of sealed) await output.writeFile(bytes);
}

async function fill(
  archive: Pack,
  about: AboutBackup,
  content: BackupContent,
  signal: AbortSignal,
): Promise<Readonly<Record<string, Measured>>> {
  const texts: Record<string, Measured> = {};
  const text = async (name: string, value: string): Promise<void> => {
    const bytes = Buffer.from(value);
    texts[name] = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    await entry(archive, name, bytes);
  };
  await text(ABOUT, JSON.stringify(about));
  await text(CONFIG, content.config);
  await text(SECRETS, content.secrets);
  const services: Record<string, Measured> = {};
  for (const { name } of about.services) {
    services[name] = await service(archive, name, content.open(name, signal), (bytes) =>
      content.onBytes?.(name, bytes),
    );
  }
  await entry(archive, END, Buffer.from(JSON.stringify({ id: about.id, texts, services })));
  archive.finalize();
  return services;
}

async function service(
  archive: Pack,
  name: string,
  source: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<Measured> {
  const hash = createHash('sha256');
  let bytes = 0;
  let nth = 0;
  let last = Buffer.alloc(0);
  let held: Buffer[] = [];
  let holding = 0;
  const flush = async (): Promise<void> => {
    if (holding === 0) return;
    const chunk = Buffer.concat(held);
    held = [];
    holding = 0;
    last = Buffer.concat([last, chunk.subarray(-END_OF_TAR)]).subarray(-END_OF_TAR);
    await entry(archive, chunkName(name, nth++), chunk);
    onBytes(bytes);
  };
  for await (const piece of source) {
    hash.update(piece);
    bytes += piece.length;
    for (let from = 0; from < piece.length; ) {
      const slice = piece.subarray(from, from + CHUNK_BYTES - holding);
      held.push(slice);
      holding += slice.length;
      from += slice.length;
      if (holding === CHUNK_BYTES) await flush();
    }
  }
  await flush();
  if (last.length < END_OF_TAR || last.some((byte) => byte !== 0)) {
    throw new DelosError('ERR_BACKUP', `${name} wrote ${bytes} bytes, and its tar has no end`, {
      hint: 'the connection to its Pod was cut: run the same command again',
    });
  }
  return { bytes, sha256: hash.digest('hex') };
}

const entry = (archive: Pack, name: string, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    archive.entry({ name, mode: 0o600 }, bytes, (error) => (error ? reject(error) : resolve()));
  });
