import type { DesiredJob, ToAgent } from '@delos/core';
import type { Logger } from 'pino';

export interface DesiresProps {
  /** All that is desired. */
  readonly list: () => Promise<readonly DesiredJob[]>;
  /** What is desired of these jobs; those of which nothing is are left out. */
  readonly find: (ids: readonly string[]) => Promise<readonly DesiredJob[]>;
  readonly send: (message: ToAgent) => void;
  readonly log: Logger;
}

/** More changes than this wait for the next read. */
const MAX_IDS = 1_000;
const RETRY_MS = 1_000;

/**
 * Tells an agent what is desired. One read at a time, told before the next begins: what was read first is never told
 * last, whether it was all jobs or one. What changes during a read is read together after it.
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

  /** All is to be told: of what is not in that list the agent forgets everything. */
  tellAll(): void {
    this.#all = true;
    void this.#read();
  }

  /** What is desired of this job may have changed. */
  tell(jobId: string): void {
    this.#changed.add(jobId);
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
    const jobs = await this.#props.list();
    this.#props.send({ type: 'sync', jobs: [...jobs] });
  }

  async #tellOf(ids: readonly string[]): Promise<void> {
    const found = new Map((await this.#props.find(ids)).map((job) => [job.jobId, job]));
    for (const jobId of ids) {
      const job = found.get(jobId);
      this.#props.send(job === undefined ? { type: 'forget', jobId } : { type: 'job', job });
    }
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
