/*
 * The kubelet's log format (CRI): one line a write, `TIME STREAM TAGS CONTENT\n`. TIME is RFC 3339 with nanoseconds,
 * STREAM stdout or stderr; the first of the colon-separated TAGS is F for a full line, P for a part of one, whose rest
 * follows in a later line of the same stream.
 * https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */

const SPACE = 0x20;
const COLON = 0x3a;
const PART = 0x50; // P
const FULL = 0x46; // F
const ERR = 0x65; // the e of stderr, where stdout has an o
const LETTER_S = 0x73;

/** Where the fields of a line lie in the buffer that it was read from. */
export interface CriLine {
  /** The time is [start, timeEnd). */
  readonly timeEnd: number;
  readonly stderr: boolean;
  /** A part: no newline follows the content. */
  readonly partial: boolean;
  /** The content is [content, end). */
  readonly content: number;
}

/** Reads the line in [start, end), without its newline. Undefined where it is not in the format. */
export function tryParseCri(buffer: Buffer, start: number, end: number): CriLine | undefined {
  const timeEnd = indexOfSpace(buffer, start, end);
  if (timeEnd < 0) return undefined;
  const streamEnd = indexOfSpace(buffer, timeEnd + 1, end);
  // stdout and stderr are six letters both and differ in the fourth.
  if (streamEnd !== timeEnd + 7 || buffer[timeEnd + 1] !== LETTER_S) return undefined;
  const tag = buffer[streamEnd + 1];
  const after = buffer[streamEnd + 2];
  if (streamEnd + 2 > end || (tag !== PART && tag !== FULL)) return undefined;
  let content = streamEnd + 2;
  if (content < end) {
    if (after === COLON) content = indexOfSpace(buffer, content, end);
    else if (after !== SPACE) return undefined;
    if (content < 0) return undefined;
    content += 1;
  }
  return { timeEnd, stderr: buffer[timeEnd + 4] === ERR, partial: tag === PART, content };
}

function indexOfSpace(buffer: Buffer, from: number, end: number): number {
  const at = buffer.indexOf(SPACE, from);
  return at < 0 || at >= end ? -1 : at;
}
