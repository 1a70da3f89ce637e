/** Longest input, bytes. */
export const MAX_INPUT = 4096;

type Random = () => number;

/** Changes inputs a little, several times over. */
export class Mutator {
  readonly #random: Random;
  readonly #words: readonly Uint8Array[];
  /** `words`: stretches that inputs often hold. */
  constructor(random: Random, words: readonly string[]) {
    this.#random = random;
    this.#words = [...new Set(words)].map((word) => new TextEncoder().encode(word));
  }

  /** A change of `input`, with pieces of `other` in it now and then. */
  changed(input: Uint8Array, other: Uint8Array): Uint8Array {
    let now = input;
    for (let times = 1 + this.#below(5); times > 0; times -= 1) now = this.#once(now, other);
    return now.length > MAX_INPUT ? now.slice(0, MAX_INPUT) : now;
  }

  #once(input: Uint8Array, other: Uint8Array): Uint8Array {
    const at = this.#below(input.length + 1);
    const cut = this.#below(Math.min(16, input.length - at + 1));
    switch (this.#below(8)) {
      case 0:
        return replaced(input, at, cut, EMPTY);
      case 1:
        return replaced(input, at, 0, Uint8Array.of(this.#byte()));
      case 2:
        return replaced(input, at, 1, Uint8Array.of(this.#byte()));
      case 3:
        return replaced(input, at, 1, Uint8Array.of((input[at] ?? 0) ^ (1 << this.#below(8))));
      case 4:
        return replaced(input, at, 0, input.subarray(this.#below(input.length + 1)).subarray(0, 1 + this.#below(64)));
      case 5:
        return replaced(
          input,
          at,
          cut,
          other.subarray(this.#below(other.length + 1)).subarray(0, 1 + this.#below(256)),
        );
      case 6:
        return replaced(input, at, this.#random() < 0.5 ? cut : 0, this.#word());
      default:
        return replaced(input, at, 0, this.#word());
    }
  }

  #byte(): number {
    return this.#random() < 0.7 ? 0x20 + this.#below(0x5f) : this.#below(256);
  }
  #word(): Uint8Array {
    return this.#words[this.#below(this.#words.length)] ?? EMPTY;
  }
  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

const EMPTY = new Uint8Array();

function replaced(input: Uint8Array, at: number, cut: number, piece: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(at, input.length - cut) + piece.length);
  result.set(input.subarray(0, at));
  result.set(piece, at);
  result.set(input.subarray(at + cut), at + piece.length);
  return result;
}
