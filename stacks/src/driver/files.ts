import { access, chmod, constants, link, readFile, rename, unlink, writeFile } from 'node:fs/promises';

/** Written beside and renamed: whoever reads sees the old content or the new. Equal content is left alone. */
export async function replaceFile(path: string, content: string, mode = 0o644): Promise<void> {
  const present = await readFile(path, 'utf8').catch(() => undefined);
  if (present === content) return;
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

/** Makes a file that only this user reads, once: of two that start together one wins, and the file is whole. */
export async function makeOnce(path: string, content: () => string): Promise<void> {
  const there = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (there) return;
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content(), { mode: 0o600 });
  // A link, unlike a rename, never overwrites.
  await link(temporary, path).catch(ignoreExisting);
  await unlink(temporary);
}

export function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** A text as one word of a POSIX shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
