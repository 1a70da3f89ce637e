import { setTimeout as sleep } from 'node:timers/promises';
import { SentWindow } from './sent-window.ts';
import { type LineLabels, type LogSink, type Refusal, type SearchLine, StoreAnswer } from './sink.ts';

/** What is counted of a store. */
export interface DeliveryCounts {
  sent(lines: number): void;
  /** Sent again, since the store lost them or might have. */
  resent(lines: number): void;
  /** Refused for good. */
  refused(refusal: Refusal): void;
}

/**
 * A store has on its disk what it took so long ago. VictoriaLogs is started with an interval of two seconds: up to one in a
 * buffer, two as a part in memory, two until that is seen, and two more where it is merged just then.
 */
const SETTLED_MS = 20_000;
/** What the window holds at most, compressed: lines wait on the node until there is room. */
const WINDOW_BYTES = 8 * 1024 * 1024;
const LOOK_MS = 5_000;
const FULL_MS = 500;
/** It asks to be spared: that is no reason to send more. */
const TOO_MANY = 429;

/**
 * Brings lines to one store so that none is lost with the store's process. What was sent is kept for as long as the store may
 * hold it in memory alone. Where the store was started anew, or a request failed, it is asked which of these lines it lacks,
 * and these are sent again; one that knows equal lines itself is sent all of them.
 */
export class Delivery {
  readonly #sink: LogSink;
  readonly #counts: DeliveryCounts;
  readonly #window = new SentWindow();
  #incarnation: string | undefined;
  /** What was sent before this process began is not known either. */
  #suspect = true;
  #lookedAt = 0;
  readonly #began = Date.now();

  constructor(sink: LogSink, counts: DeliveryCounts) {
    this.#sink = sink;
    this.#counts = counts;
  }

  /** Bytes that are held to be sent again. */
  get heldBytes(): number {
    return this.#window.bytes;
  }

  /**
   * @param known some of them may be there already
   * @throws Error where the store takes them later: the same lines are to be given again, before others
   */
  async send(lines: readonly SearchLine[], known: boolean, signal: AbortSignal): Promise<void> {
    const failed = this.#suspect;
    await this.look();
    while (this.#window.bytes >= WINDOW_BYTES) {
      await sleep(FULL_MS, undefined, { signal });
      await this.look(true);
    }
    const { recall } = this.#sink;
    const lacking = (known || failed) && recall !== undefined ? await recall.lacking(lines) : lines;
    const refusal = lacking.length === 0 ? undefined : await this.#trying(() => this.#sink.send(lacking));
    if (refusal !== undefined) this.#counts.refused(refusal);
    this.#counts.sent(lacking.length);
    // What a request before this one, or a process before this one, has brought may also be in the store's memory alone.
    const isFresh = failed || Date.now() - this.#began < SETTLED_MS;
    const held = isFresh ? lines : lacking;
    if (held.length > 0) await this.#window.add(held);
  }

  /** Of a container that may have been carried by a process before this one. */
  async newest(labels: LineLabels): Promise<string | undefined> {
    await this.look();
    return this.#sink.recall?.newest(labels);
  }

  /** Finds out whether the store has lost what it took. @param now also where it was just asked */
  async look(now = false): Promise<void> {
    const { recall } = this.#sink;
    if (this.#suspect) return await this.#trying(() => this.#recover());
    if (this.#window.isEmpty || (!now && Date.now() - this.#lookedAt < LOOK_MS)) return;
    const asked = Date.now();
    this.#lookedAt = asked;
    if (recall !== undefined && (await this.#trying(() => recall.incarnation())) !== this.#incarnation) {
      return await this.#trying(() => this.#recover());
    }
    this.#window.forgetBefore(asked - SETTLED_MS);
  }

  async #recover(): Promise<void> {
    const { recall } = this.#sink;
    this.#suspect = true;
    const incarnation = await recall?.incarnation();
    await recall?.settle();
    await this.#window.resend(async (lines) => {
      const lacking = recall === undefined ? lines : await recall.lacking(lines);
      if (lacking.length === 0) return;
      // Refused ones were counted when they were sent first.
      await this.#sink.send(lacking);
      this.#counts.resent(lacking.length);
    });
    this.#incarnation = incarnation;
    this.#suspect = false;
    this.#lookedAt = Date.now();
  }

  async #trying<T>(deed: () => Promise<T>): Promise<T> {
    try {
      return await deed();
    } catch (error) {
      if (!(error instanceof StoreAnswer && error.status === TOO_MANY)) this.#suspect = true;
      throw error;
    }
  }
}
