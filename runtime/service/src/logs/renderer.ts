import { tryParseCri } from './cri.ts';

export interface RenderOptions {
  /** Begins each line with its time and a space. @default false */
  readonly timestamps?: boolean;
  /** Leaves out lines written before. @default none */
  readonly since?: Date;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
/** A longer line is not the kubelet's (16 KiB a part by default): it is passed on as it is. */
const MAX_LINE_BYTES = 4 * 2 ** 20;
const EMPTY = Buffer.alloc(0);

/**
 * Turns one attempt's archived bytes into what the container wrote, whatever chunks they come in. What it holds is at
 * most one unfinished line.
 */
export class LogRenderer {
  readonly #timestamps: boolean;
  #since: number | undefined;
  #rest: Buffer = EMPTY;
  // A line of that stream is open: its last part had no newline.
  #openOut = false;
  #openErr = false;

  constructor(options: RenderOptions = {}) {
    this.#timestamps = options.timestamps ?? false;
    this.#since = options.since?.getTime();
  }

  /** @returns the rendered bytes, in a buffer of their own; never more than went in. */
  push(chunk: Buffer): Buffer {
    const input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const output = Buffer.allocUnsafe(input.length);
    let written = 0;
    let start = 0;
    for (let end = input.indexOf(NEWLINE); end >= 0; end = input.indexOf(NEWLINE, start)) {
      written = this.#line(input, start, end, output, written);
      start = end + 1;
    }
    // Copied: a view would keep the whole chunk in memory.
    this.#rest = start === input.length ? EMPTY : Buffer.from(input.subarray(start));
    if (this.#rest.length > MAX_LINE_BYTES) {
      written += this.#rest.copy(output, written);
      this.#rest = EMPTY;
    }
    return output.subarray(0, written);
  }

  /** What is left of a log that was cut within a line. */
  end(): Buffer {
    const output = Buffer.allocUnsafe(this.#rest.length + 1);
    const written = this.#rest.length === 0 ? 0 : this.#line(this.#rest, 0, this.#rest.length, output, 0);
    this.#rest = EMPTY;
    return output.subarray(0, written);
  }

  #line(input: Buffer, start: number, end: number, output: Buffer, at: number): number {
    const line = tryParseCri(input, start, end);
    if (line === undefined) return at + input.copy(output, at, start, Math.min(end + 1, input.length));
    if (this.#since !== undefined) {
      const time = Date.parse(input.toString('latin1', start, line.timeEnd));
      if (time < this.#since) return at;
      // Times only grow: the first line that counts ends the comparing.
      this.#since = undefined;
    }
    let written = at;
    const open = line.stderr ? this.#openErr : this.#openOut;
    if (this.#timestamps && !open) {
      written += input.copy(output, written, start, line.timeEnd);
      output[written++] = SPACE;
    }
    written += input.copy(output, written, line.content, end);
    if (!line.partial) output[written++] = NEWLINE;
    if (line.stderr) this.#openErr = line.partial;
    else this.#openOut = line.partial;
    return written;
  }
}
