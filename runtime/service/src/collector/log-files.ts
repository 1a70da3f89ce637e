import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';

/*
 * Where the kubelet keeps container logs: /var/log/pods/NAMESPACE_NAME_UID/CONTAINER/N.log, N counting restarts. It
 * rotates by renaming to N.log.YYYYMMDD-HHMMSS and telling the runtime to open N.log anew, compresses all rotated files
 * but the newest to ….gz, and deletes the oldest.
 */

/** The folder of a job's Pod. */
export interface PodFolder {
  readonly namespace: string;
  readonly jobId: string;
  readonly podUid: string;
}

const FOLDER = /^([a-z0-9-]+)_(job-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([0-9A-Za-z-]+)$/;
const FILE = /^(\d+)\.log(?:\.(\d{8}-\d{6}))?(\.gz)?$/;

/** Undefined for the folder of a Pod that is no job. */
export function tryPodFolder(name: string): PodFolder | undefined {
  const [, namespace, jobId, podUid] = FOLDER.exec(name) ?? [];
  return namespace === undefined || jobId === undefined || podUid === undefined
    ? undefined
    : { namespace, jobId, podUid };
}

export interface LogFile {
  readonly path: string;
  /** Time of rotation as in its name; undefined for the one that is written. */
  readonly rotated: string | undefined;
  readonly compressed: boolean;
}

/** One attempt's files from the oldest to the one being written. */
export async function logFiles(folder: string, attempt: number): Promise<readonly LogFile[]> {
  const found = new Map<string, LogFile>();
  for (const name of await tryReaddir(folder)) {
    const [, number, rotated, gz] = FILE.exec(name) ?? [];
    if (number === undefined || Number(number) !== attempt) continue;
    const key = rotated ?? '~';
    // While it is being compressed both are there; the plain one is whole.
    if (gz !== undefined && found.has(key)) continue;
    found.set(key, { path: join(folder, name), rotated, compressed: gz !== undefined });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
}

/** A file, and its first line; undefined as long as that is not whole. */
export interface HeadedFile extends LogFile {
  readonly head: Head | undefined;
}

const LISTINGS = 10;

/**
 * {@link logFiles} with their first lines. Where one goes while it is looked at, all are listed again: it has another name by
 * then, or is compressed.
 */
export async function headedFiles(folder: string, attempt: number): Promise<readonly HeadedFile[]> {
  for (let listing = 1; ; listing++) {
    const files: HeadedFile[] = [];
    let gone = false;
    for (const file of await logFiles(folder, attempt)) {
      const head = await readHeadOf(file).catch((error: unknown) => (isGone(error) ? 'gone' : undefined));
      if (head === 'gone') gone = true;
      else files.push({ ...file, head });
    }
    if (!gone || listing === LISTINGS) return files;
  }
}

/** The first file that has lines of that time or later, as far as its first line says. */
export const firstSince = (files: readonly HeadedFile[], time: string): HeadedFile | undefined =>
  files.find(({ head }) => head === undefined || head.time >= time);

/** The last attempt that has a file; -1 where there is none. */
export async function lastAttempt(folder: string): Promise<number> {
  const numbers = (await tryReaddir(folder)).map((name) => Number(FILE.exec(name)?.[1] ?? -1));
  return Math.max(-1, ...numbers);
}

/** What tells a file from any other, by whatever name: its first line, which begins with a time in nanoseconds. */
export interface Head {
  readonly digest: string;
  /** RFC 3339 with nanoseconds: compares as text. */
  readonly time: string;
}

const HEAD_BYTES = 512;

/** Undefined as long as the first line is not whole. */
export function headOf(start: Buffer): Head | undefined {
  const end = start.indexOf(0x0a);
  if (end < 0 && start.length < HEAD_BYTES) return undefined;
  const line = start.subarray(0, Math.min(HEAD_BYTES, end < 0 ? HEAD_BYTES : end));
  const space = line.indexOf(0x20);
  return {
    digest: createHash('sha256').update(line).digest('hex').slice(0, 32),
    time: line.toString('latin1', 0, Math.max(0, space)),
  };
}

/** Undefined where the file is gone or has no whole line yet. */
export const tryReadHead = (file: LogFile): Promise<Head | undefined> => readHeadOf(file).catch(() => undefined);

/** Undefined where the file has no whole line yet. @throws where it cannot be read */
async function readHeadOf(file: LogFile): Promise<Head | undefined> {
  if (!file.compressed) {
    const handle = await open(file.path, 'r');
    try {
      return await readHead(handle);
    } finally {
      await handle.close();
    }
  }
  const input = createReadStream(file.path, { highWaterMark: 64 * 1024 });
  const stream = createGunzip();
  // A file that cannot be opened would else end the process.
  input.on('error', (error) => stream.destroy(error));
  input.pipe(stream);
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length >= HEAD_BYTES) break;
  }
  return headOf(Buffer.concat(parts).subarray(0, HEAD_BYTES));
}

export async function readHead(handle: FileHandle): Promise<Head | undefined> {
  const buffer = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await handle.read(buffer, 0, HEAD_BYTES, 0);
  return headOf(buffer.subarray(0, bytesRead));
}

export async function tryReaddir(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** A file that is gone is passed over. One that may not be read is an error: its log must not be taken for empty. */
export function unlessForbidden(error: unknown): undefined {
  if (isForbidden(error)) throw error;
}

const isGone = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** The file is there, and this process's user may not read it. */
export const isForbidden = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');

/** What to say of a file that may not be read. */
export function forbiddenText(error: NodeJS.ErrnoException, folder: string): string {
  const user = `user ${process.getuid?.()} with groups ${process.getgroups?.().join(', ')}`;
  return `${error.path ?? folder} may not be read by ${user}`;
}

/** Time of the last line. */
export function lastTimeIn(bytes: Buffer): string | undefined {
  const start = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  const space = bytes.indexOf(0x20, start);
  return space < 0 || space - start > 64 ? undefined : bytes.toString('latin1', start, space);
}
