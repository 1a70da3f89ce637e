import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { tryRead } from '@delos/host';
import { z } from 'zod';
import { digest } from '../format/digest.ts';

/*
 * What an import would not find out by asking the registry: which packs were read and are right, and where an upload that was cut off goes on. A line
 * each; the last one may be cut off. What is stored, the registry says itself.
 */
const line = z.union([
  z.strictObject({ verified: digest, size: z.int(), changed: z.number() }),
  z.strictObject({ upload: digest, location: z.string() }),
]);
type Line = z.infer<typeof line>;

export class Journal {
  readonly #path: string;
  readonly #verified = new Map<string, string>();
  readonly #uploads = new Map<string, string>();
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
    for (const text of (tryRead(path) ?? '').split('\n')) this.#take(text);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, 'a', 0o600);
    // Behind a line that a kill has cut off.
    writeSync(file, '\n');
    this.#file = file;
  }

  /** Whether a pack of this size and time was read and was right. */
  isVerified(pack: string, size: number, changed: number): boolean {
    return this.#verified.get(pack) === `${size} ${changed}`;
  }

  tryUpload(blob: string): string | undefined {
    return this.#uploads.get(blob);
  }

  write(entry: Line): void {
    if (this.#file === undefined) return;
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.#file);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The import has come to its end. */
  remove(): void {
    this.close();
    rmSync(this.#path, { force: true });
  }

  #take(text: string): void {
    let entry: Line | undefined;
    try {
      entry = line.safeParse(JSON.parse(text)).data;
    } catch {
      return;
    }
    if (entry === undefined) return;
    if ('verified' in entry) this.#verified.set(entry.verified, `${entry.size} ${entry.changed}`);
    else this.#uploads.set(entry.upload, entry.location);
  }
}
