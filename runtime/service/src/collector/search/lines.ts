import { tryParseCri } from '../../logs/cri.ts';
import type { LineLabels, SearchLine } from './sink.ts';

const NEWLINE = 0x0a;
/** Stores refuse longer lines. */
const MOST_TEXT = 64 * 1024;
const CUT = ' [delos] cut here: the line is longer than 64 KiB';

interface Open {
  readonly time: string;
  readonly text: string;
}

/** Makes lines of what a kubelet wrote: parts of a line are put together, and what is too long is cut. */
export class LineReader {
  readonly #labels: LineLabels;
  readonly #open = new Map<'stdout' | 'stderr', Open>();

  constructor(labels: LineLabels) {
    this.#labels = labels;
  }

  /** @param bytes whole lines of the file */
  *push(bytes: Buffer): Generator<SearchLine, void, void> {
    for (let start = 0, end = bytes.indexOf(NEWLINE); end >= 0; start = end + 1, end = bytes.indexOf(NEWLINE, start)) {
      const line = tryParseCri(bytes, start, end);
      if (line === undefined) continue;
      const output = line.stderr ? 'stderr' : 'stdout';
      const before = this.#open.get(output);
      const time = before?.time ?? bytes.toString('latin1', start, line.timeEnd);
      const text = joined(before?.text ?? '', bytes.toString('utf8', line.content, end));
      if (line.partial) this.#open.set(output, { time, text });
      else {
        this.#open.delete(output);
        yield { time, text, output, labels: this.#labels };
      }
    }
  }

  /** What was begun and never ended: nothing more is written. */
  *end(): Generator<SearchLine, void, void> {
    for (const [output, open] of this.#open) yield { ...open, output, labels: this.#labels };
    this.#open.clear();
  }
}

function joined(before: string, more: string): string {
  if (before.endsWith(CUT)) return before;
  const all = before + more;
  return all.length <= MOST_TEXT ? all : all.slice(0, MOST_TEXT).toWellFormed() + CUT;
}
