/*
 * Commands that a task writes into its log, one a line after blanks:
 *
 *   ::set-output name=NAME::VALUE    ::save-state name=NAME::VALUE
 *   ::stop-commands::TOKEN           from here on lines are text, until a line `::TOKEN::`
 *
 * Lines end at LF, CR or CR LF. Command lines are taken out of what is shown; so is any other line that begins with `::`.
 */

/** Longest command line in bytes; a longer one is text. */
const MAX_COMMAND = 1024 * 1024;
const COLON = 0x3a;
const LF = 0x0a;
const CR = 0x0d;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0b || byte === 0x0c;

// Of bytes read as Latin-1: blanks are those of ASCII, whatever the text's encoding.
const B = '[\\t-\\r ]';
const NAMED = new RegExp(
  `^${B}*::${B}*(set-output|save-state)${B}+name${B}*=${B}*([a-zA-Z][a-zA-Z0-9_]*)${B}*::([^\\n]+)$`,
);
const STOP = new RegExp(`^${B}*::${B}*stop-commands${B}*::([^\\n]+)$`);

/** Reads a log as it comes, in chunks cut anywhere, and holds no more of it than one command line. */
export class LogCommands {
  readonly outputs = new Map<string, string>();
  readonly states = new Map<string, string>();
  /** Lines that began with `::` and were no command. */
  unknown = 0;
  /** The kind of the current line: not known yet, text that passes as it comes, or a command that is gathered. */
  #line: 'open' | 'text' | 'command' = 'open';
  /** The current line so far, unless it is text. */
  readonly #held = new Bytes();
  /** Colons that an open line begins with. */
  #colons = 0;
  #afterReturn = false;
  #stopped: string | undefined;

  /** Takes a chunk of the log and gives what of it is to be shown. */
  push(chunk: Uint8Array): Uint8Array {
    const out = new Bytes();
    let at = 0;
    if (this.#afterReturn && chunk.length > 0) {
      // The second half of CR LF belongs to the line before it.
      at = chunk[0] === LF ? 1 : 0;
      this.#afterReturn = false;
      this.#take(chunk.subarray(0, at), out);
      this.#endLine(out);
    }
    while (at < chunk.length) {
      if (this.#line === 'open') at = this.#open(chunk, at, out);
      else at = this.#rest(chunk, at, out);
    }
    return out.take();
  }

  /** The log's end: the last line counts although nothing ends it. */
  end(): Uint8Array {
    const out = new Bytes();
    this.#afterReturn = false;
    this.#endLine(out);
    return out.take();
  }

  /** The beginning of a line, until it is known what it is. Gives the place from which the rest goes on. */
  #open(chunk: Uint8Array, start: number, out: Bytes): number {
    let at = start;
    while (at < chunk.length && this.#line === 'open') {
      const byte = chunk[at] as number;
      if (byte === COLON) {
        this.#colons += 1;
        if (this.#colons === 2) this.#line = 'command';
      } else if (this.#colons > 0 || !isBlank(byte)) break;
      at += 1;
    }
    this.#held.add(chunk.subarray(start, at));
    if (this.#line === 'open' && (at < chunk.length || this.#held.size > MAX_COMMAND)) this.#becomeText(out);
    return at;
  }

  /** The text up to the line's end, or the chunk's. */
  #rest(chunk: Uint8Array, start: number, out: Bytes): number {
    let end = start;
    while (end < chunk.length && chunk[end] !== LF && chunk[end] !== CR) end += 1;
    if (chunk[end] === CR && chunk[end + 1] === LF) end += 1;
    this.#take(chunk.subarray(start, end + 1), out);
    if (end === chunk.length - 1 && chunk[end] === CR) this.#afterReturn = true;
    else if (end < chunk.length) this.#endLine(out);
    return end + 1;
  }

  #take(bytes: Uint8Array, out: Bytes): void {
    if (this.#line === 'text') out.add(bytes);
    else {
      this.#held.add(bytes);
      if (this.#held.size > MAX_COMMAND) this.#becomeText(out);
    }
  }

  #becomeText(out: Bytes): void {
    this.#line = 'text';
    out.add(this.#held.take());
  }

  #endLine(out: Bytes): void {
    const held = this.#held.take();
    if (this.#line !== 'command' || !this.#command(held)) out.add(held);
    this.#line = 'open';
    this.#colons = 0;
  }

  /** True where the line is taken out of the log. */
  #command(bytes: Uint8Array): boolean {
    const line = latin1(stripped(bytes));
    if (this.#stopped !== undefined) {
      if (line !== this.#stopped) return false;
      this.#stopped = undefined;
      return true;
    }
    const [, command, name = '', value = ''] = NAMED.exec(line) ?? [];
    if (command === 'set-output') this.outputs.set(name, utf8(value));
    else if (command === 'save-state') this.states.set(name, utf8(value));
    else {
      const token = STOP.exec(line)?.[1];
      if (token === undefined) this.unknown += 1;
      else this.#stopped = `::${token}::`;
    }
    return true;
  }
}

/** Without the blanks and line ends at both ends. */
function stripped(bytes: Uint8Array): Uint8Array {
  const isEdge = (byte: number | undefined): boolean =>
    byte !== undefined && (isBlank(byte) || byte === LF || byte === CR);
  let [start, end] = [0, bytes.length];
  while (start < end && isEdge(bytes[start])) start += 1;
  while (end > start && isEdge(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

/** One character a byte. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8 = (text: string): string => DECODER.decode(Uint8Array.from(text, (char) => char.charCodeAt(0)));

/** Bytes that are added at the end. */
class Bytes {
  #data = new Uint8Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }
  add(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > this.#data.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#data.length));
      grown.set(this.#data.subarray(0, this.#size));
      this.#data = grown;
    }
    this.#data.set(bytes, this.#size);
    this.#size = size;
  }
  /** All of them; none are left. */
  take(): Uint8Array {
    const taken = this.#data.slice(0, this.#size);
    if (this.#data.length > 4096) this.#data = new Uint8Array(64);
    this.#size = 0;
    return taken;
  }
}
