import { createReadStream } from 'node:fs';
import { access, constants, open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { FileLedger } from './file-ledger.ts';
import {
  firstSince,
  type Head,
  type HeadedFile,
  headedFiles,
  type LogFile,
  lastTimeIn,
  logFiles,
  readHead,
  tryReadHead,
  unlessForbidden,
} from './log-files.ts';
import type { Source } from './log-source.ts';

/** Bytes in their order, and what to go on from after them. */
export interface Piece {
  readonly bytes: Buffer;
  readonly cursor: string;
  /** Bytes before these may be missing: the node deleted them before they were read. */
  readonly lost: boolean;
  /** How many of them, where that is known. */
  readonly missing?: number;
}

/** After a file was succeeded by a new one the runtime may still finish lines in it. */
const SETTLE_MS = 200;
const NEWLINE = 0x0a;
/** With as many rotated files as a kubelet keeps (containerLogMaxFiles less one) older ones may have been deleted. */
const KEPT_FILES = 4;

/**
 * Reads one attempt's log on, over rotations: files are told apart by their first line, not by name or inode, so that
 * reading goes on at the right byte after a restart, whatever was renamed, compressed or deleted meanwhile.
 */
export class AttemptReader {
  readonly #folder: string;
  readonly #attempt: number;
  #source: Source | undefined;
  /** Where reading goes on, while the file that holds it has just got another name. */
  #sought: string | null = null;
  /** Read, and not yet a whole line. */
  #rest: Buffer = Buffer.alloc(0);
  #lastTime = '';
  /** False once bytes may be missing. */
  complete = true;
  /** They are missing before what is read next. */
  #lost = false;
  /** Bytes that were lost and that no piece has told of; undefined: nobody knows how many. */
  untold: number | undefined;
  readonly #ledger: FileLedger | undefined;
  /** When bytes were last found. */
  grewAt = Date.now();

  /** @param ledger knows files that are gone. @default what they had is unknown */
  constructor(folder: string, attempt: number, ledger?: FileLedger) {
    this.#folder = folder;
    this.#attempt = attempt;
    this.#ledger = ledger;
  }

  /** Goes to where a cursor says; null: to the beginning. */
  async seek(cursor: string | null): Promise<void> {
    await this.close();
    this.#rest = Buffer.alloc(0);
    this.#sought = cursor;
    if (cursor === null) return;
    const [digest = '', offset = '0', time = ''] = cursor.split(' ');
    this.#lastTime = time;
    const files = await headedFiles(this.#folder, this.#attempt);
    const found = files.find(({ head }) => head?.digest === digest);
    if (found !== undefined) {
      await this.#open(found, Number(offset));
      return;
    }
    // It was deleted before it was read to its end, or just at its end: what follows is the next best.
    const next = firstSince(files, time);
    if (next !== undefined && (await this.#open(next, 0)) === undefined) return;
    this.#sought = null;
    await this.#loseUntil(next, digest, Number(offset));
  }

  /** Opens the file that is read next, where there is one: what is open stays readable when it is deleted. */
  async open(): Promise<void> {
    if (this.#source === undefined) await this.#first();
  }

  /** True once there is a file to read. */
  get started(): boolean {
    return this.#source !== undefined;
  }

  /**
   * The next whole lines, at most `max` bytes; undefined where there are none now.
   * `rest`: gives what is left of a line that was never finished, too.
   */
  async read(max: number, rest = false): Promise<Piece | undefined> {
    for (;;) {
      const source = this.#source ?? (await this.#first());
      if (source === undefined) return undefined;
      const fresh = await this.#pull(source, max);
      if (fresh.length > 0) {
        this.grewAt = Date.now();
        source.supersededAt = undefined;
        const piece = await this.#cut(source, fresh, max);
        if (piece !== undefined) return piece;
        continue;
      }
      if (await this.#advance(source)) continue;
      if (!rest || this.#rest.length === 0) return undefined;
      const bytes = this.#rest;
      this.#rest = Buffer.alloc(0);
      return this.#piece(bytes, source);
    }
  }

  /** True where a line was begun and not ended. */
  get unfinished(): boolean {
    return this.#rest.length > 0;
  }

  /** Milliseconds until it is worth looking again although nothing was written; undefined: not before that. */
  get settlesIn(): number | undefined {
    const since = this.#source?.supersededAt;
    return since === undefined ? undefined : Math.max(1, since + SETTLE_MS - Date.now());
  }

  async close(): Promise<void> {
    const source = this.#source;
    this.#source = undefined;
    source?.stream?.destroy();
    await source?.handle?.close().catch(() => undefined);
  }

  async #first(): Promise<Source | undefined> {
    if (this.#sought !== null) {
      await this.seek(this.#sought);
      return this.#source;
    }
    const files = await logFiles(this.#folder, this.#attempt);
    const [file] = files;
    if (file === undefined) return undefined;
    if (files.length > KEPT_FILES) this.#lose();
    return this.#open(file, 0);
  }

  async #open(file: LogFile, offset: number): Promise<Source | undefined> {
    await this.close();
    const base = { file, head: undefined, supersededAt: undefined, follower: undefined };
    if (!file.compressed) {
      const handle = await open(file.path, 'r').catch(unlessForbidden);
      if (handle === undefined) return undefined;
      const { ino } = await handle.stat();
      this.#source = { ...base, handle, unpacked: undefined, stream: undefined, inode: ino, offset };
    } else {
      await access(file.path, constants.R_OK).catch(unlessForbidden);
      const input = createReadStream(file.path);
      const stream = createGunzip({ chunkSize: 512 * 1024 });
      input.on('error', (error) => stream.destroy(error));
      // Whoever reads next is told; until then nobody listens.
      stream.on('error', () => undefined);
      input.pipe(stream);
      const unpacked = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      this.#source = { ...base, handle: undefined, unpacked, stream, inode: 0, offset: 0 };
      await this.#skip(this.#source, offset);
    }
    this.#source.head = await this.#headOf(this.#source);
    this.#sought = null;
    return this.#source;
  }

  async #skip(source: Source, bytes: number): Promise<void> {
    while (source.offset < bytes) {
      const part = await this.#pull(source, bytes - source.offset);
      if (part.length === 0) return;
      if (source.offset > bytes) this.#rest = Buffer.from(part.subarray(part.length - (source.offset - bytes)));
    }
  }

  /** What follows in the file; empty at its end. */
  async #pull(source: Source, max: number): Promise<Buffer> {
    if (source.handle !== undefined) {
      // As much as is there: a full buffer for each line would be mostly garbage.
      const there = Math.min(max, (await source.handle.stat()).size - source.offset);
      if (there <= 0) return Buffer.alloc(0);
      const buffer = Buffer.allocUnsafe(there);
      const { bytesRead } = await source.handle.read(buffer, 0, there, source.offset);
      source.offset += bytesRead;
      return buffer.subarray(0, bytesRead);
    }
    const next = await source.unpacked?.next().catch(() => {
      // Deleted or broken while it was read.
      this.#lose();
      return undefined;
    });
    if (next === undefined || next.done === true) return Buffer.alloc(0);
    source.offset += next.value.length;
    return next.value;
  }

  /** Whole lines only, so that what is archived in one piece can be read alone. */
  async #cut(source: Source, fresh: Buffer, max: number): Promise<Piece | undefined> {
    const all = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    const end = all.lastIndexOf(NEWLINE) + 1;
    const whole = end === 0 && all.length >= max ? all.length : end;
    this.#rest = whole === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(whole));
    if (whole === 0) return undefined;
    const bytes = all.subarray(0, whole);
    source.head ??= await this.#headOf(source);
    this.#lastTime = lastTimeIn(bytes) ?? this.#lastTime;
    return this.#piece(bytes, source);
  }

  #lose(bytes?: number): void {
    this.untold =
      bytes === undefined || (this.#lost && this.untold === undefined) ? undefined : (this.untold ?? 0) + bytes;
    this.complete = false;
    this.#lost = true;
  }

  /** What lay between a place in a file and the next file that is there. */
  async #loseUntil(next: HeadedFile | undefined, digest: string, offset: number): Promise<void> {
    await this.#ledger?.look();
    if (next !== undefined && next.head === undefined) this.#lose();
    else this.#lose(this.#ledger?.bytesBetween(digest, offset, next?.head?.digest));
  }

  #piece(bytes: Buffer, source: Source): Piece {
    const lost = this.#lost;
    const missing = this.untold;
    this.#lost = false;
    this.untold = undefined;
    return { bytes, cursor: this.#cursor(source), lost, ...(lost && missing !== undefined ? { missing } : {}) };
  }

  /** By the open file where there is one: its name may be another's by now. */
  async #headOf(source: Source): Promise<Head | undefined> {
    return source.handle === undefined ? tryReadHead(source.file) : readHead(source.handle);
  }

  #cursor(source: Source): string {
    return `${source.head?.digest ?? ''} ${source.offset - this.#rest.length} ${this.#lastTime}`;
  }

  /** At the end of a file: to the next one, where there is one and this one is settled. @returns true to read on */
  async #advance(source: Source): Promise<boolean> {
    if (source.handle !== undefined) {
      const current = await stat(`${this.#folder}/${this.#attempt}.log`).catch(() => undefined);
      // Without a current file the runtime still writes to this one, by its new name; or it is all over.
      if (current === undefined || current.ino === source.inode) return false;
      if (source.supersededAt === undefined) {
        source.supersededAt = Date.now();
        source.follower = await this.#followerOf(source);
      }
      if (Date.now() - source.supersededAt < SETTLE_MS) return false;
    }
    // The file that follows; without the one that was read, the oldest that is left, which may be a later one.
    const files = await headedFiles(this.#folder, this.#attempt);
    const place = await this.#placeIn(files, source);
    const next = place >= 0 ? files[place + 1] : firstSince(files, this.#lastTime);
    if (next === undefined) return false;
    const rest = this.#rest;
    const here = this.#cursor(source);
    if ((await this.#open(next, 0)) === undefined) {
      // It got another name just now. What was read of a line is read again.
      this.#rest = Buffer.alloc(0);
      this.#sought = here;
      return false;
    }
    // A line that the runtime did not finish stays in its place.
    this.#rest = rest;
    // The kubelet deletes the oldest: where rotated ones are left, others may have gone with the one that was read.
    if (place < 0 && next.rotated !== undefined && source.follower !== next.head?.digest) {
      await this.#loseUntil(next, source.head?.digest ?? '', source.offset);
    }
    return true;
  }

  async #followerOf(source: Source): Promise<string | undefined> {
    const files = await headedFiles(this.#folder, this.#attempt);
    const place = await this.#placeIn(files, source);
    return place < 0 ? undefined : files[place + 1]?.head?.digest;
  }

  /** -1 where it is not there any more. */
  async #placeIn(files: readonly HeadedFile[], source: Source): Promise<number> {
    for (const [index, file] of files.entries()) {
      const same =
        source.handle === undefined || source.head !== undefined
          ? file.head?.digest === source.head?.digest
          : (await stat(file.path).catch(() => undefined))?.ino === source.inode;
      if (same) return index;
    }
    return -1;
  }
}
