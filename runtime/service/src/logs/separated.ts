const NEWLINE = 0x0a;

/** Puts the separator where replay ends, before the first live bytes. */
export class Separated {
  readonly #text: string | undefined;
  #replayed = false;
  #live = false;
  #done = false;
  #lineOpen = false;

  constructor(text: string | undefined) {
    this.#text = text;
  }

  /** From here on bytes are live. */
  live(): void {
    this.#live = true;
  }

  *pass(bytes: Buffer): Generator<Buffer, void, void> {
    const last = bytes.at(-1);
    if (last === undefined) return;
    if (this.#live && this.#replayed && !this.#done && this.#text !== undefined) {
      yield Buffer.from(`${this.#lineOpen ? '\n' : ''}${this.#text}\n`);
    }
    if (this.#live) this.#done = true;
    else this.#replayed = true;
    this.#lineOpen = last !== NEWLINE;
    yield bytes;
  }

  /** A text as a line of its own. @param before what is passed on before it */
  lineOf(text: string, before: Buffer = Buffer.alloc(0)): Buffer {
    const open = before.length === 0 ? this.#lineOpen : before.at(-1) !== NEWLINE;
    return Buffer.from(`${open ? '\n' : ''}${text}\n`);
  }
}
