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
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

const NAMED = /^\s*::\s*(set-output|save-state)\s+name\s*=\s*([a-zA-Z][a-zA-Z0-9_]*)\s*::([^\n]+)$/;
const STOP = /^\s*::\s*stop-commands\s*::([^\n]+)$/;

/** Reads a log as it comes, in chunks cut anywhere, and holds no more of it than one command line. */
export class LogCommands {
  readonly outputs = new Map<string, string>();
  readonly states = new Map<string, string>();
  /** Lines that began with `::` and were no command. */
  unknown = 0;
  /** What the current line is: not known yet, text that passes as it comes, or a command that is gathered. */
  #line: 'open' | 'text' | 'command' = 'open';
  #held: number[] = [];
  #afterReturn = false;
  #stopped: string | undefined;

  /** Takes a chunk of the log and gives what of it is to be shown. */
  push(chunk: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of chunk) {
      if (this.#afterReturn) {
        this.#afterReturn = false;
        if (byte === LF) {
          // The second half of CR LF belongs to the line before it.
          if (this.#line === 'text') out.push(byte);
          else this.#held.push(byte);
          this.#endLine(out);
          continue;
        }
        this.#endLine(out);
      }
      if (this.#line === 'text') out.push(byte);
      else this.#hold(byte, out);
      if (byte === CR) this.#afterReturn = true;
      else if (byte === LF) this.#endLine(out);
    }
    return Uint8Array.from(out);
  }

  /** The log's end: the last line counts although nothing ends it. */
  end(): Uint8Array {
    const out: number[] = [];
    this.#afterReturn = false;
    this.#endLine(out);
    return Uint8Array.from(out);
  }

  #hold(byte: number, out: number[]): void {
    this.#held.push(byte);
    if (this.#line === 'open') {
      const at = this.#held.findIndex((held) => !isBlank(held));
      const opening = at === -1 ? [] : this.#held.slice(at);
      if (opening.some((sign) => sign !== COLON)) this.#line = 'text';
      else if (opening.length === 2) this.#line = 'command';
    }
    if (this.#line === 'text' || this.#held.length > MAX_COMMAND) {
      this.#line = 'text';
      for (const held of this.#take()) out.push(held);
    }
  }

  #take(): readonly number[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #endLine(out: number[]): void {
    const held = this.#take();
    if (this.#line === 'command') {
      if (!this.#command(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(held))))
        for (const byte of held) out.push(byte);
    } else for (const byte of held) out.push(byte);
    this.#line = 'open';
  }

  /** True where the line is taken out of the log. */
  #command(text: string): boolean {
    const line = text.replace(/^[\x09-\x0d\x20]+|[\x09-\x0d\x20]+$/g, '');
    if (this.#stopped !== undefined) {
      if (line !== this.#stopped) return false;
      this.#stopped = undefined;
      return true;
    }
    const [, command, name = '', value = ''] = NAMED.exec(line) ?? [];
    if (command === 'set-output') this.outputs.set(name, value);
    else if (command === 'save-state') this.states.set(name, value);
    else {
      const token = STOP.exec(line)?.[1];
      if (token === undefined) this.unknown += 1;
      else this.#stopped = `::${token}::`;
    }
    return true;
  }
}
