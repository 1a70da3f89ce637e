import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** Writes whole or not at all: a reader never sees half a file, and a kill leaves the old one. */
export function writeAtomic(path: string, content: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  writeFileSync(temporary, content, { mode, flush: true });
  renameSync(temporary, path);
}

/** As `writeAtomic`, but leaves a file that already says this alone. True when it was written. */
export function writeIfChanged(path: string, content: string, mode = 0o600): boolean {
  if (tryRead(path) === content) return false;
  writeAtomic(path, content, mode);
  return true;
}

/** Undefined where there is no such file. */
export function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  }
}

/** Undefined where there is no such file, or where a crash of the whole machine left it unreadable. */
export function tryReadJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  const text = tryRead(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
