import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { DelosError } from '@delos/core';
import type { Decrypter } from 'age-encryption';
import { extract, type Header } from 'tar-stream';
import type { z } from 'zod';
import {
  ABOUT,
  aboutBackup,
  CHUNK_BYTES,
  CONFIG,
  chunkOf,
  END,
  endOfBackup,
  type Measured,
  MOST_TEXT_BYTES,
  SECRETS,
} from './format.ts';
import type { BackupSummary } from './writer.ts';

/** A backup, with the texts that are in it. */
export interface BackupTexts extends BackupSummary {
  readonly config: string;
  readonly secrets: string;
}

/** A file in the tar. */
interface Entry extends AsyncIterable<unknown> {
  readonly header: Pick<Header, 'name' | 'size'>;
}

/** What is told while a backup is read. */
export interface BackupReader {
  /** Bytes of the file that were read so far. */
  readonly onRead?: (bytes: number) => void;
  /** The next bytes of a service's tar. */
  readonly onChunk?: (service: string, bytes: Buffer) => Promise<void>;
}

/**
 * Reads a backup from its first byte to its last, and compares everything with what its writer had measured.
 * @throws DelosError ERR_BACKUP for a file that is none, is cut off or changed, and for a key that does not open it
 */
export async function readBackup(file: string, decrypter: Decrypter, reader: BackupReader = {}): Promise<BackupTexts> {
  const bad = (what: string, cause?: unknown): DelosError =>
    new DelosError('ERR_BACKUP', `${file} ${what}`, {
      where: { file },
      hint: 'take another copy of the file, or an earlier backup; nothing was changed by reading it',
      ...(cause === undefined ? {} : { cause }),
    });
  try {
    return await readEntries(await opened(file, decrypter, reader.onRead), reader, bad);
  } catch (cause) {
    if (cause instanceof DelosError) throw cause;
    throw bad(`cannot be read to its end: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** The tar inside. */
async function opened(
  file: string,
  decrypter: Decrypter,
  onRead: (bytes: number) => void = () => undefined,
): Promise<AsyncIterable<Entry>> {
  const source = createReadStream(file, { highWaterMark: 2 ** 18 });
  let read = 0;
  source.on('data', (bytes) => {
    read += bytes.length;
    onRead(read);
  });
  source.pause();
  let plain: ReadableStream<Uint8Array>;
  try {
    plain = await decrypter.decrypt(Readable.toWeb(source) as ReadableStream<Uint8Array>);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    throw new DelosError(
      'ERR_BACKUP',
      code === undefined ? `${file} does not open with this key: ${reason}` : `${file} cannot be read (${code})`,
      { where: { file }, hint: 'expected a file of `delos backup`, and a key that it was encrypted for', cause },
    );
  }
  const tar = extract();
  const inflated = createZstdDecompress();
  const compressed = Readable.fromWeb(plain as import('node:stream/web').ReadableStream<Uint8Array>);
  compressed.once('error', (error) => inflated.destroy(error));
  inflated.once('error', (error) => tar.destroy(error));
  compressed.pipe(inflated).pipe(tar);
  return tar;
}

async function readEntries(
  entries: AsyncIterable<Entry>,
  { onChunk }: BackupReader,
  bad: (what: string) => DelosError,
): Promise<BackupTexts> {
  const texts = new Map<string, string>();
  const services = new Map<string, Running>();
  let end: z.infer<typeof endOfBackup> | undefined;
  for await (const entry of entries) {
    const { name } = entry.header;
    const chunk = chunkOf(name);
    const content = await wholeOf(entry, chunk === undefined ? MOST_TEXT_BYTES : CHUNK_BYTES, bad);
    if (chunk === undefined) {
      if (texts.has(name)) throw bad(`has ${name} twice`);
      if (name === END) end = parsed(endOfBackup, content.toString('utf8'), END, bad);
      else texts.set(name, content.toString('utf8'));
      if (texts.size > TEXTS.length) throw bad(`has ${JSON.stringify(name)}, which no backup has`);
      continue;
    }
    const running = services.get(chunk.service) ?? new Running();
    services.set(chunk.service, running);
    if (!running.add(chunk.nth, content)) throw bad(`lacks a part of ${chunk.service} before ${name}`);
    if (services.size > MOST_SERVICES) throw bad(`has more than ${MOST_SERVICES} services`);
    await onChunk?.(chunk.service, content);
  }
  if (end === undefined) throw bad(`has no ${END}: it was cut off while it was written`);
  const text = (name: string): string => {
    const value = texts.get(name);
    if (value !== undefined && same(end.texts[name], digestOf(Buffer.from(value)))) return value;
    throw bad(`has another ${name} than was written`);
  };
  const about = parsed(aboutBackup, text(ABOUT), ABOUT, bad);
  if (about.id !== end.id) throw bad(`begins as one backup and ends as another`);
  for (const { name } of about.services) {
    if (!same(end.services[name], services.get(name)?.measured))
      throw bad(`has other bytes of ${name} than were written`);
  }
  const [config, secrets] = [text(CONFIG), text(SECRETS)];
  return { about, services: end.services, config, secrets };
}

const TEXTS = [ABOUT, CONFIG, SECRETS];
const MOST_SERVICES = 100;

/** A service's tar, as its parts come. */
class Running {
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #next = 0;

  /** False for a part that is not the next one. */
  add(nth: number, content: Buffer): boolean {
    if (nth !== this.#next) return false;
    this.#next += 1;
    this.#bytes += content.length;
    this.#hash.update(content);
    return true;
  }

  /** Of all parts so far. */
  get measured(): Measured {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') };
  }
}

const digestOf = (bytes: Buffer): Measured => ({
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

const same = (wanted: Measured | undefined, found: Measured | undefined): boolean =>
  wanted !== undefined && wanted.bytes === found?.bytes && wanted.sha256 === found.sha256;

async function wholeOf(entry: Entry, most: number, bad: (what: string) => DelosError): Promise<Buffer> {
  if ((entry.header.size ?? 0) > most) throw bad(`has an entry of ${entry.header.size} bytes: ${entry.header.name}`);
  const pieces: Buffer[] = [];
  for await (const piece of entry) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function parsed<T>(schema: z.ZodType<T>, text: string, name: string, bad: (what: string) => DelosError): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw bad(`has a ${name} that this release does not know`);
  }
}
