import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** Writes whole or not at all: a reader never sees half a file, and a kill leaves the old one. */
export function writeAtomic(path: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    writeFileSync(draft, content, { mode, flag: 'wx', flush: true });
    // Past the process's umask.
    chmodSync(draft, mode);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** As {@link writeAtomic}, but leaves a file alone that says this already. @returns true when it was written */
export function writeIfChanged(path: string, content: string, mode = 0o600): boolean {
  if (tryRead(path) === content) return false;
  writeAtomic(path, content, mode);
  return true;
}

/** Makes a file that this user alone reads, once: of two that start together one wins, and the file is whole. */
export function makeOnce(path: string, content: () => string): void {
  if (existsSync(path)) return;
  const draft = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  writeFileSync(draft, content(), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // A link, unlike a rename, never overwrites.
    linkSync(draft, path);
  } catch (error) {
    ignoreExisting(error as NodeJS.ErrnoException);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @throws the error, unless it says that something of that name exists */
export function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Undefined where there is no such file. */
export function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Undefined where there is no such file, or where it is not (any more) of this shape. */
export function tryReadJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  const text = tryRead(path);
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Writes a JSON document whole or not at all, for this user alone. */
export const writeJson = (path: string, value: unknown): void =>
  writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

/** A text as one word of a POSIX shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
