import type { Cursor } from './cursor.ts';
import { missingColon } from './suspect.ts';

/** A place where a key may begin: whether it is one, a colon tells later. */
interface PossibleKey {
  /** The number of its first token. */
  readonly token: number;
  /** It stands where only a key can. */
  readonly required: boolean;
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

/** A key is on one line, and has no more characters. */
export const LONGEST_KEY = 1024;

/** Possible keys, one for each level of brackets. Those that are required and turn out to be none are faults. */
export class PossibleKeys {
  readonly #keys = new Map<number, PossibleKey>();
  readonly #cursor: Cursor;
  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  remember(level: number, token: number, required: boolean): void {
    this.forget(level);
    const { column, at, line } = this.#cursor;
    this.#keys.set(level, { token, required, at, line, column });
  }

  /** @throws FaultError */
  forget(level: number): void {
    const key = this.#keys.get(level);
    if (key?.required === true) throw missingColon(this.#cursor.text, key.at);
    this.#keys.delete(level);
  }

  /** The key that a colon makes one. */
  take(level: number): PossibleKey | undefined {
    const key = this.#keys.get(level);
    this.#keys.delete(level);
    return key;
  }

  /** Drops those that no colon can make one any more: too long, or on an earlier line. @throws FaultError */
  dropStale(): void {
    const cursor = this.#cursor;
    for (const [level, { line, at, required }] of this.#keys) {
      const near = cursor.at - at <= LONGEST_KEY || cursor.since(at) <= LONGEST_KEY;
      if (line === cursor.line && near) continue;
      if (required) throw missingColon(cursor.text, at);
      this.#keys.delete(level);
    }
  }

  hasToken(token: number): boolean {
    for (const key of this.#keys.values()) if (key.token === token) return true;
    return false;
  }

  clear(): void {
    this.#keys.clear();
  }
}
