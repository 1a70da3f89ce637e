import { AttemptReader } from '../attempt-reader.ts';
import { FileLedger } from '../file-ledger.ts';
import { lastAttempt } from '../log-files.ts';
import type { SearchedContainer } from './containers.ts';
import { isLater } from './line-time.ts';
import { LineReader } from './lines.ts';
import type { LineLabels, SearchLine } from './sink.ts';

const PIECE_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** Lines of one container in their order, over rotations and restarts of it, as long as its node has them. */
export class ContainerReader {
  readonly container: SearchedContainer;
  /** It was there when this process began: another process may have carried some of it. */
  readonly isOld: boolean;
  /** Whose the lines are, once that is known. */
  labels: LineLabels | undefined;
  /** Lines up to this time may be in the store already. */
  until: string | undefined;
  /** When to ask again whose it is. */
  askAt = 0;
  /** Its folder is gone since then; what is open can still be read. */
  goneAt: number | undefined;
  #attempt = 0;
  #ledger: FileLedger;
  #reader: AttemptReader;
  #lines: LineReader | undefined;
  #cursor = '';

  readonly #lost: (bytes: number) => void;

  /** @param lost told how many bytes its node deleted before they were read, as far as that is known */
  constructor(container: SearchedContainer, isOld: boolean, lost: (bytes: number) => void) {
    this.#lost = lost;
    this.container = container;
    this.isOld = isOld;
    this.#ledger = new FileLedger(container.folder, 0);
    this.#reader = new AttemptReader(container.folder, 0, this.#ledger);
  }

  /** Holds on to what is there, and notes how much that is: its node may delete it before it can be carried. */
  async hold(): Promise<void> {
    if (this.goneAt !== undefined) return;
    await this.#reader.open();
    await this.#ledger.look();
  }

  /** Lines that can be read now; each with whether it may be in the store already. */
  async *read(): AsyncGenerator<readonly [line: SearchLine, known: boolean], void, void> {
    if (this.labels === undefined) return;
    this.#lines ??= new LineReader(this.labels);
    for (;;) {
      // Nobody ends a line any more whose file is gone.
      const piece = await this.#reader.read(PIECE_BYTES, this.goneAt !== undefined);
      if (piece === undefined) {
        if (this.goneAt !== undefined) return yield* this.#told(this.#lines.end());
        if (!(await this.#toNextAttempt())) return;
        const rest = await this.#reader.read(PIECE_BYTES, true);
        if (rest !== undefined) yield* this.#linesOf(rest.bytes);
        yield* this.#told(this.#lines.end());
        await this.#reader.close();
        this.#attempt += 1;
        this.#ledger = new FileLedger(this.container.folder, this.#attempt);
        this.#reader = new AttemptReader(this.container.folder, this.#attempt, this.#ledger);
        this.#cursor = '';
        continue;
      }
      this.#cursor = piece.cursor;
      if (piece.lost) {
        this.#lost(piece.missing ?? 0);
        yield* this.#linesOf(gapBefore(piece.bytes, piece.missing));
      }
      yield* this.#linesOf(piece.bytes);
    }
  }

  /** Asked when the folder is gone and all was read. @returns known bytes that the node deleted unread */
  lostAtEnd(): number {
    const [digest = '', offset = '0'] = this.#cursor.split(' ');
    if (this.#cursor === '') return this.#ledger.bytes;
    return this.#ledger.bytesBetween(digest, Number(offset), undefined) ?? 0;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #toNextAttempt(): Promise<boolean> {
    return this.#reader.settlesIn === undefined && (await lastAttempt(this.container.folder)) > this.#attempt;
  }

  *#linesOf(bytes: Buffer): Generator<readonly [SearchLine, boolean], void, void> {
    const whole = bytes.at(-1) === NEWLINE ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
    yield* this.#told(this.#lines?.push(whole) ?? []);
  }

  *#told(lines: Iterable<SearchLine>): Generator<readonly [SearchLine, boolean], void, void> {
    const { until } = this;
    for (const line of lines) yield [line, until !== undefined && !isLater(line.time, until)];
  }
}

/** As `apolo logs` says it. @param bytes undefined where nobody knows */
export const missingText = (bytes: number | undefined): string =>
  bytes === undefined
    ? '[delos] Lines may be missing here: their node deleted them before they were read.'
    : `[delos] ${bytes} bytes are missing here: their node deleted them before they were read.`;

/** A line that says so, at the time of the first that is there. */
function gapBefore(bytes: Buffer, missing: number | undefined): Buffer {
  const time = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(0x20)));
  return Buffer.from(`${time} stderr F ${missingText(missing)}\n`);
}
