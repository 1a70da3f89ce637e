import { Alarm } from './alarm.ts';
import { PieceGone } from './log-object.ts';
import type { ArchivedChunk, LogStore } from './log-store.ts';
import { leftOutText, lostText, pieceGoneText, REMOVED_TEXT } from './notices.ts';
import { LogRenderer, type RenderOptions } from './renderer.ts';
import { Separated } from './separated.ts';
import type { LogTails } from './tails.ts';

export interface FollowOptions extends RenderOptions {
  /** A line put once between what was archived when reading began and what came later, if there is both. */
  readonly separator?: string;
  readonly signal: AbortSignal;
}

/** Of those that lie in PostgreSQL, at most 1 MiB each, compressed: what one query may hold in memory. */
const CHUNKS_A_QUERY = 4;
/** A notification may be lost. */
const SWEEP_MS = 2_000;

/**
 * A job's log as its container wrote it: all attempts in order, from the beginning (or `since`), followed until the
 * log is sealed. Where bytes are left out or lost, a line of its own says so. Reads on only when asked to, so that a slow
 * reader costs no memory.
 */
export async function* followLog(
  source: { readonly logs: LogStore; readonly tails: LogTails },
  jobId: string,
  options: FollowOptions,
): AsyncGenerator<Buffer, void, void> {
  const { logs, tails } = source;
  const { since, signal } = options;
  const alarm = new Alarm();
  const unfollow = tails.follow(jobId, () => alarm.ring());
  const onAbort = (): void => alarm.ring();
  signal.addEventListener('abort', onAbort, { once: true });
  const separated = new Separated(options.separator);
  try {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      let renderer = new LogRenderer(options);
      let offset = since === undefined ? 0 : await logs.offsetSince({ jobId, attempt, since });
      let told = false;
      // A piece that the storage did not have: it may have been taken out of the log just then, which is looked up once.
      let goneAt = -1;
      // What was begun before a gap is not continued after it.
      const gap = (text: string): readonly Buffer[] => {
        const rest = renderer.end();
        renderer = new LogRenderer(options);
        told = true;
        return [rest, separated.lineOf(text, rest)];
      };
      const gapsBefore = (start: number, chunk?: ArchivedChunk): readonly Buffer[] => [
        ...(start > offset ? gap(leftOutText(start - offset)) : []),
        ...(chunk?.lost === true && start >= offset ? gap(lostText(chunk.missing)) : []),
      ];
      for (let settled = false; !signal.aborted; ) {
        const piece = tails.tryPiece(jobId, attempt, offset);
        if (piece !== undefined) {
          offset += piece.length;
          yield* separated.pass(renderer.push(piece));
          continue;
        }
        const chunks = await logs.chunks({ jobId, attempt, offset }, CHUNKS_A_QUERY);
        for (const chunk of chunks) {
          const bytes = await bytesOf(chunk);
          if (bytes === undefined && goneAt !== chunk.start) {
            goneAt = chunk.start;
            break;
          }
          for (const before of gapsBefore(chunk.start, chunk)) yield* separated.pass(before);
          const end = chunk.start + chunk.length;
          // Of one that holds what was read already, as chunks, the rest.
          const done = Math.max(0, offset - chunk.start);
          if (bytes !== undefined) yield* separated.pass(renderer.push(bytes.subarray(done)));
          else for (const text of gap(pieceGoneText(end - offset))) yield* separated.pass(text);
          offset = end;
        }
        if (chunks.length > 0) continue;
        // "Nothing more" counts only if it was said before a read that found nothing.
        if (settled) break;
        const state = await logs.progress({ jobId, attempt });
        settled = state.over || state.final;
        if (settled) continue;
        separated.live();
        await alarm.wait(SWEEP_MS);
      }
      yield* separated.pass(renderer.end());
      const ended = await logs.progress({ jobId, attempt });
      if (ended.removed) {
        yield* separated.pass(separated.lineOf(REMOVED_TEXT));
        return;
      }
      if (since === undefined && ended.length > offset && !signal.aborted)
        yield* separated.pass(separated.lineOf(leftOutText(ended.length - offset)));
      const unsaid = ended.missing > 0 ? lostText(ended.missing) : ended.complete || told ? undefined : lostText();
      if (unsaid !== undefined && !signal.aborted) yield* separated.pass(separated.lineOf(unsaid));
      for (let state = ended; attempt >= state.last; ) {
        if (state.over || signal.aborted) return;
        await alarm.wait(SWEEP_MS);
        state = await logs.progress({ jobId, attempt });
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unfollow();
  }
}

/** Undefined where they are nowhere any more. */
async function bytesOf(chunk: ArchivedChunk): Promise<Buffer | undefined> {
  try {
    return await chunk.bytes();
  } catch (error) {
    if (error instanceof PieceGone) return undefined;
    throw error;
  }
}
