import type { Desire, Kind, ToAgent } from '@delos/core';
import type { Logger } from 'pino';

export interface DesiresProps {
  readonly kind: Kind;
  /** All that is desired, page by page. */
  readonly list: () => AsyncIterable<readonly Desire[]>;
  /** The desires of these, page by page; those of which nothing is desired are left out. */
  readonly find: (ids: readonly string[]) => AsyncIterable<readonly Desire[]>;
  /** Settles when the message is on its way: the next one is read then, so that a slow agent costs no memory. */
  readonly send: (message: ToAgent) => Promise<void>;
  readonly log: Logger;
}

/** More changes than this wait for the next read. */
const MAX_IDS = 1_000;
const RETRY_MS = 1_000;

/**
 * Tells an agent what is desired of one kind of things. It reads once at a time, and tells what it read before it reads
 * again: so an older state is never told after a newer one. What changes during a read is read together after it. Of
 * all desires only one page is in memory at a time.
 */
export class Desires {
  readonly #props: DesiresProps;
  #all = false;
  #changed = new Set<string>();
  #reading = false;
  #ended = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(props: DesiresProps) {
    this.#props = props;
  }

  /** All is to be told: the agent forgets what is not among it. */
  tellAll(): void {
    this.#all = true;
    void this.#read();
  }

  /** What is desired of this one may have changed. */
  tell(id: string): void {
    this.#changed.add(id);
    void this.#read();
  }

  /** Nothing is told any more. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (!this.#ended && (this.#all || this.#changed.size > 0)) {
      const all = this.#all;
      const ids = [...this.#changed].slice(0, all ? undefined : MAX_IDS);
      this.#all = false;
      for (const id of ids) this.#changed.delete(id);
      try {
        await (all ? this.#sync() : this.#tellOf(ids));
      } catch (error) {
        this.#props.log.warn({ error }, 'desires could not be read: again in a second');
        this.#all ||= all;
        for (const id of ids) this.#changed.add(id);
        this.#pause();
        return;
      }
    }
    this.#reading = false;
  }

  async #sync(): Promise<void> {
    const ids = await this.#sendEach(this.#props.list());
    if (!this.#ended) await this.#props.send({ type: 'sync', kind: this.#props.kind, ids });
  }

  async #tellOf(ids: readonly string[]): Promise<void> {
    const found = new Set(await this.#sendEach(this.#props.find(ids)));
    const { kind, send } = this.#props;
    for (const id of ids) {
      if (!found.has(id) && !this.#ended) await send({ type: 'forget', kind, id });
    }
  }

  /** @returns the ids of which something was told */
  async #sendEach(pages: AsyncIterable<readonly Desire[]>): Promise<string[]> {
    const told: string[] = [];
    for await (const page of pages) {
      for (const desire of page) {
        if (this.#ended) return told;
        await this.#props.send({ type: 'desire', desire });
        told.push(desire.id);
      }
    }
    return told;
  }

  #pause(): void {
    if (this.#ended) return;
    this.#retry = setTimeout(() => {
      this.#reading = false;
      void this.#read();
    }, RETRY_MS);
    this.#retry.unref();
  }
}
