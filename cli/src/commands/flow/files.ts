import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { PythonError } from '@delos/flow';

/** A file's text. @throws TypeError where it is not UTF-8 */
export function utf8Text(path: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
}

/**
 * SHA-256 in hex over the files below a folder that match patterns. Each file adds its path from the folder, then its
 * bytes, in the order of paths. A folder adds its path alone.
 */
export function hashFiles(root: string, patterns: readonly string[]): string {
  const hash = createHash('sha256');
  const base = existsSync(root) ? realpathSync(root) : root;
  for (const pattern of patterns) {
    for (const parts of matching(root, pattern)) {
      const path = join(root, ...parts);
      hash.update(relative(base, realpathSync(path)).split(sep).join('/') || '.');
      if (statSync(path).isFile()) feed(hash, path);
    }
  }
  return hash.digest('hex');
}

function feed(hash: ReturnType<typeof createHash>, path: string): void {
  const buffer = Buffer.alloc(1024 * 1024);
  const file = openSync(path, 'r');
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(file);
  }
}

type Parts = readonly string[];

/** Paths by pathlib's glob: `**` is any number of folders, `*`, `?` and `[…]` match within a name, dot files too. */
function matching(root: string, pattern: string): readonly Parts[] {
  if (pattern === '') throw new PythonError('ValueError', 'a pattern is empty');
  if (pattern.startsWith('/')) throw new PythonError('ValueError', 'a pattern is relative to the folder');
  let found: Parts[] = [[]];
  for (const part of pattern.split('/').filter((name) => name !== '' && name !== '.')) {
    if (part.includes('**') && part !== '**')
      throw new PythonError('ValueError', "'**' can only be an entire path component");
    found = found.flatMap((parts) => step(root, parts, part));
  }
  const unique = new Map(found.map((parts) => [parts.join('/'), parts]));
  return [...unique.values()].sort(byParts);
}

function step(root: string, parts: Parts, part: string): Parts[] {
  if (part === '**') return foldersBelow(root, parts);
  if (!/[*?[]/.test(part)) return existsSync(join(root, ...parts, part)) ? [[...parts, part]] : [];
  const matches = nameMatcher(part);
  return entries(root, parts)
    .filter(({ name }) => matches.test(name))
    .map(({ name }) => [...parts, name]);
}

function foldersBelow(root: string, parts: Parts): Parts[] {
  const below = entries(root, parts).filter((entry) => entry.isDirectory());
  return [parts, ...below.flatMap(({ name }) => foldersBelow(root, [...parts, name]))];
}

const entries = (root: string, parts: Parts): ReturnType<typeof list> => {
  try {
    return list(join(root, ...parts));
  } catch {
    return [];
  }
};
const list = (path: string) => readdirSync(path, { withFileTypes: true });

function nameMatcher(pattern: string): RegExp {
  const source = pattern.replace(/\[!?\]?[^\]]*\]|[\s\S]/g, (piece) => {
    if (piece === '*') return '[\\s\\S]*';
    if (piece === '?') return '[\\s\\S]';
    if (piece.length > 1) return `[${piece.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`;
    return piece.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'u');
}

function byParts(a: Parts, b: Parts): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const [left = '', right = ''] = [a[index], b[index]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}
