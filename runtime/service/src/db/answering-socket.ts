import { Socket } from 'node:net';

/**
 * A socket that ends with an error where a question is not answered in time. A server that is gone with its node does not say so:
 * the kernel alone would send the question again for a quarter of an hour.
 */
export class AnsweringSocket extends Socket {
  readonly #answerMs: number;

  constructor(answerMs: number) {
    super();
    this.#answerMs = answerMs;
    this.on('data', () => this.setTimeout(0));
    this.on('timeout', () => this.destroy(new Error(`PostgreSQL did not answer for ${answerMs / 1000} s`)));
  }

  // Not `write`, which Node puts back when it connects.
  override _write(...args: Parameters<Socket['_write']>): void {
    this.setTimeout(this.#answerMs);
    super._write(...args);
  }

  override _writev(...args: Parameters<NonNullable<Socket['_writev']>>): void {
    this.setTimeout(this.#answerMs);
    super._writev?.(...args);
  }
}
