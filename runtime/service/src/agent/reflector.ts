import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { guard } from '../edge/guard.ts';
import { isKubeError, type KubeClient, type Query } from './kube-client.ts';

/** What is kept of an object must name it. */
export interface Kept {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined; readonly uid: string };
}

export interface ReflectorProps<T extends Kept> {
  readonly client: KubeClient;
  readonly path: string;
  readonly query?: Query;
  /** Reads what is needed of an object; undefined: leave it out. */
  readonly read: (object: unknown) => T | undefined;
  /** `gone`: the object's last known state, where it is no longer there. */
  readonly onChange: (object: T, gone: boolean) => void;
  /** After each listing. */
  readonly onListed?: () => void;
  readonly log: Logger;
  /** Milliseconds after which everything is listed again whatever the watch said. @default 5 minutes */
  readonly resyncMs?: number;
}

const PAGE = '500';
const WATCH_SECONDS = 120;
const RETRY_MS = [50, 200, 1_000, 2_000, 5_000];

const list = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});
const watchEvent = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.looseObject({
    metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional(),
    code: z.number().optional(),
    message: z.string().optional(),
  }),
});

/** A copy of a collection: listed, watched, listed again when the watch breaks, falls behind or is old. */
export class Reflector<T extends Kept> {
  readonly #props: ReflectorProps<T>;
  readonly #items = new Map<string, T>();
  /** When an item was last heard of, by a counter of ours: a list that began before knows nothing against it. */
  readonly #heard = new Map<string, number>();
  #clock = 0;
  #synced = false;
  #problem: string | undefined = 'not listed yet';

  constructor(props: ReflectorProps<T>) {
    this.#props = props;
  }

  get items(): ReadonlyMap<string, T> {
    return this.#items;
  }

  /** True once the collection was listed. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Why the copy may be old; undefined where it is not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Takes in an object that a call of ours returned, before the watch brings it. */
  put(object: unknown): T | undefined {
    const item = this.#props.read(object);
    if (item !== undefined) this.#set(item);
    return item;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const version = await this.#list();
        failures = 0;
        await this.#watch(version, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#problem = `${this.#props.path}: ${error instanceof Error ? error.message : String(error)}`;
        if (!isKubeError(error, 410)) this.#props.log.warn({ error, path: this.#props.path }, 'watch broke');
        const limit = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 5_000;
        failures += 1;
        await sleep(limit / 2 + Math.random() * (limit / 2), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #list(): Promise<string> {
    const { client, path, query } = this.#props;
    const seen = new Set<string>();
    const began = ++this.#clock;
    for (let next: string | undefined; ; ) {
      const page = list.parse(
        await client.get(path, { ...query, limit: PAGE, ...(next === undefined ? {} : { continue: next }) }),
      );
      for (const object of page.items) {
        const item = this.#props.read(object);
        if (item === undefined) continue;
        seen.add(keyOf(item));
        this.#set(item);
      }
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      if (next !== undefined) continue;
      for (const [key, item] of this.#items) {
        if (!seen.has(key) && (this.#heard.get(key) ?? 0) <= began) this.#remove(key, item);
      }
      this.#synced = true;
      this.#problem = undefined;
      this.#props.onListed?.();
      return page.metadata.resourceVersion;
    }
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { client, path, query, resyncMs = 300_000 } = this.#props;
    const until = Date.now() + resyncMs;
    for (let version = from; Date.now() < until && !signal.aborted; ) {
      const timeoutSeconds = String(Math.min(WATCH_SECONDS, Math.max(1, Math.round((until - Date.now()) / 1000))));
      const events = client.watch(
        path,
        { ...query, watch: '1', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds },
        signal,
      );
      for await (const line of events) {
        const event = watchEvent.parse(line);
        if (event.type === 'ERROR') {
          throw Object.assign(new Error(event.object.message ?? 'watch error'), { status: event.object.code });
        }
        version = event.object.metadata?.resourceVersion ?? version;
        if (event.type === 'BOOKMARK') continue;
        const item = this.#props.read(event.object);
        if (item === undefined) continue;
        if (event.type === 'DELETED') this.#remove(keyOf(item), item);
        else this.#set(item);
      }
    }
  }

  #set(item: T): void {
    this.#items.set(keyOf(item), item);
    this.#heard.set(keyOf(item), ++this.#clock);
    this.#changed(item, false);
  }

  #remove(key: string, item: T): void {
    this.#items.delete(key);
    this.#heard.delete(key);
    this.#changed(item, true);
  }

  /** One object that cannot be taken must not keep all others from being heard. */
  #changed(item: T, gone: boolean): void {
    const { onChange, log, path } = this.#props;
    guard(onChange, (error) => log.error({ error, path, object: keyOf(item) }, 'a change could not be taken'))(
      item,
      gone,
    );
  }
}

export function keyOf(item: Kept): string {
  return `${item.metadata.namespace ?? ''}/${item.metadata.name}`;
}
