import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { SearchLine } from './sink.ts';

const pack = promisify(gzip);
const unpack = promisify(gunzip);

interface Sent {
  readonly packed: Buffer;
  at: number;
}

/** Lines that a store has taken, and may lose with its process: kept until it must have them on its disk. */
export class SentWindow {
  #sent: Sent[] = [];
  /** Bytes that it holds, compressed. */
  bytes = 0;

  async add(lines: readonly SearchLine[]): Promise<void> {
    const packed = await pack(JSON.stringify(lines), { level: constants.Z_BEST_SPEED });
    this.#sent.push({ packed, at: Date.now() });
    this.bytes += packed.length;
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  /** Lets go what was sent before that time. @param time milliseconds since 1970 */
  forgetBefore(time: number): void {
    this.#sent = this.#sent.filter(({ at }) => at >= time);
    this.bytes = this.#sent.reduce((sum, { packed }) => sum + packed.length, 0);
  }

  /** Gives each request's lines to be sent again; what was sent again counts as sent now. */
  async resend(send: (lines: readonly SearchLine[]) => Promise<void>): Promise<void> {
    for (const each of this.#sent) {
      await send(JSON.parse((await unpack(each.packed)).toString('utf8')) as readonly SearchLine[]);
      each.at = Date.now();
    }
  }
}
