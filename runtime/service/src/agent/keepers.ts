import type { DesireOf, Kind, ToAgent } from '@delos/core';
import { diskKeeper } from './disks/index.ts';
import { jobKeeper } from './jobs/index.ts';
import type { Pod } from './jobs/pod-shape.ts';
import type { KeeperContext, KeeperPart } from './keeper.ts';

type Makers = { readonly [K in Kind]: (context: KeeperContext) => KeeperPart<K> };
type Parts = { readonly [K in Kind]: KeeperPart<K> };

/** Every keeper: one folder and one line. */
const KEEPERS: Makers = {
  job: jobKeeper,
  disk: diskKeeper,
};

/** One keeper of each kind. Messages go to the keeper of their kind. */
export class Keepers {
  readonly #parts: Parts;

  constructor(context: KeeperContext, makers: Makers = KEEPERS) {
    this.#parts = Object.fromEntries(
      Object.entries(makers).map(([kind, make]) => [kind, make(context)]),
    ) as unknown as Parts;
  }

  hear(message: Exclude<ToAgent, { type: 'stream' }>): void {
    switch (message.type) {
      case 'sync':
        this.#parts[message.kind].keeper.sync(message.ids);
        break;
      case 'desire':
        this.#desire(message.desire.kind, message.desire);
        break;
      case 'forget':
        this.#parts[message.kind].keeper.forget(message.id);
        break;
      case 'ack':
        this.#parts[message.kind].keeper.ack(message.id, message.seq);
        break;
    }
  }

  sweep(): void {
    for (const { keeper } of this.#all) keeper.sweep();
  }

  /** The Pod of something, of whatever kind: ids differ between kinds. */
  podOf(id: string): Pod | undefined {
    for (const { podOf } of this.#all) {
      const pod = podOf?.(id);
      if (pod !== undefined) return pod;
    }
    return undefined;
  }

  /** Watches until the signal; settles when all has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map((part) => part.run(signal)));
  }

  get problem(): string | undefined {
    return this.#all.map((part) => part.problem()).find(Boolean);
  }

  get sizes(): readonly (readonly [Kind, number])[] {
    return this.#all.map(({ keeper }) => [keeper.kind, keeper.size]);
  }

  get #all(): readonly Parts[Kind][] {
    return Object.values(this.#parts);
  }

  #desire<K extends Kind>(kind: K, desire: DesireOf<K>): void {
    this.#parts[kind].keeper.desire(desire);
  }
}
