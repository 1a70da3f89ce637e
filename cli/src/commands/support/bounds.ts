import type { Entry } from './archive.ts';
import type { Redactor } from './redact.ts';

/** Most bytes of one file: what is older is left out. */
export const FILE_BYTES = 4 * 2 ** 20;
/** Most bytes of all files together, before they are compressed. */
export const ALL_BYTES = 128 * 2 ** 20;

/** Something that a bundle has, if it can be read. */
export interface Source {
  /** In the archive. */
  readonly path: string;
  read(): Promise<string>;
}

export interface LeftOut {
  readonly path: string;
  readonly why: string;
}

/** What became of the sources. */
export interface Outcome {
  readonly files: { readonly path: string; readonly bytes: number; readonly cut: boolean }[];
  readonly leftOut: LeftOut[];
}

/**
 * Each source as a file without secrets, one at a time, within the bounds. One that cannot be read keeps no other from
 * its place.
 * @param outcome is filled as the files come
 */
export async function* boundedEntries(
  sources: AsyncIterable<Source> | Iterable<Source>,
  redactor: Redactor,
  outcome: Outcome,
): AsyncGenerator<Entry> {
  let left = ALL_BYTES;
  for await (const { path, read } of sources) {
    let text: string;
    try {
      text = redactor.redact(await read());
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      outcome.leftOut.push({ path, why: redactor.redact(why.slice(0, 500)) });
      continue;
    }
    const most = Math.min(FILE_BYTES, left);
    const bytes = Buffer.from(text);
    const kept = bytes.subarray(Math.max(0, bytes.length - most));
    if (most === 0) {
      outcome.leftOut.push({ path, why: `the files before it have ${ALL_BYTES} bytes, the most of all together` });
      continue;
    }
    left -= kept.length;
    outcome.files.push({ path, bytes: kept.length, cut: kept.length < bytes.length });
    yield { path, text: kept.length < bytes.length ? tailOf(kept) : text };
  }
}

/** From the first whole line. */
function tailOf(bytes: Buffer): string {
  const end = bytes.indexOf(0x0a);
  return `[what is older was left out]\n${bytes.subarray(end + 1).toString('utf8')}`;
}
