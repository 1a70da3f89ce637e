import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Api } from './api.ts';

/** A watch ends after this long and all is listed anew, whatever may have been missed. Seconds. */
const RESYNC_S = 300;
/** The server sends bookmarks about each minute; a connection silent for longer is dead. */
const IDLE_MS = 90_000;
const LIST_LIMIT_MS = 30_000;
const BACKOFF_MS = { first: 100, most: 1_000 } as const;

const object = z.looseObject({
  metadata: z.looseObject({
    name: z.string().default(''),
    namespace: z.string().optional(),
    resourceVersion: z.string().default('0'),
  }),
});
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string().default('0'), continue: z.string().optional() }),
  items: z.array(object),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });

type ApiObject = z.infer<typeof object>;

export interface ReflectorOptions<T> {
  /** Of the collection, e.g. `/api/v1/pods`. */
  readonly path: string;
  /** Undefined: leave the object out. */
  readonly parse: (object: unknown) => T | undefined;
  /** Something that the parsed form shows has changed. */
  readonly changed: () => void;
  readonly log: (message: string) => void;
}

interface Entry<T> {
  readonly version: number;
  readonly text: string;
  readonly value: T | undefined;
}

/**
 * A local copy of one collection, kept by list and watch. Resource versions are compared as numbers: they are etcd's
 * revision, and comparable by Kubernetes' own word since 1.35 (KEP-5504).
 */
export class Reflector<T> {
  readonly #api: Api;
  readonly #options: ReflectorOptions<T>;
  readonly #synced = Promise.withResolvers<void>();
  #entries = new Map<string, Entry<T>>();
  /** The revision up to which the copy is complete. */
  #revision = 0;

  constructor(api: Api, options: ReflectorOptions<T>) {
    this.#api = api;
    this.#options = options;
  }

  /** Resolves after the first complete list. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  values(): readonly T[] {
    return [...this.#entries.values()].map(({ value }) => value).filter((value) => value !== undefined);
  }

  /** Runs until the signal fires; no error ends it. */
  async run(signal: AbortSignal): Promise<void> {
    let backoff: number = BACKOFF_MS.first;
    while (!signal.aborted) {
      const started = performance.now();
      try {
        await this.#list();
        this.#synced.resolve();
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log(`${this.#options.path}: ${error instanceof Error ? error.message : String(error)}`);
      }
      backoff = performance.now() - started > IDLE_MS ? BACKOFF_MS.first : Math.min(backoff * 2, BACKOFF_MS.most);
      await sleep(backoff * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Takes over what was read past the watch. Only news: an object that is absent here though the copy is newer than it
   * has been deleted since, and stays so.
   */
  merge(objects: readonly unknown[]): void {
    for (const found of objects) {
      const parsed = object.parse(found);
      const key = keyOf(parsed);
      const known = this.#entries.get(key)?.version ?? this.#revision;
      if (versionOf(parsed) > known) this.#entries.set(key, this.#entry(parsed));
    }
  }

  async #list(): Promise<void> {
    const entries = new Map<string, Entry<T>>();
    let token: string | undefined;
    let revision = 0;
    do {
      const query = new URLSearchParams({ limit: '500', ...(token === undefined ? {} : { continue: token }) });
      const page = listSchema.parse(await this.#api.get(`${this.#options.path}?${query}`, LIST_LIMIT_MS));
      for (const item of page.items) entries.set(keyOf(item), this.#entry(item));
      token = page.metadata.continue === '' ? undefined : page.metadata.continue;
      revision = Number(page.metadata.resourceVersion);
    } while (token !== undefined);
    // A list may have been asked for before, and be answered after, a newer object was merged.
    for (const [key, entry] of this.#entries) {
      const listed = entries.get(key);
      if (entry.version > (listed?.version ?? revision)) entries.set(key, entry);
    }
    const changed = digest(entries) !== digest(this.#entries);
    this.#entries = entries;
    this.#revision = revision;
    if (changed) this.#options.changed();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: String(this.#revision),
      timeoutSeconds: String(RESYNC_S),
    });
    for await (const line of this.#api.watch(`${this.#options.path}?${query}`, IDLE_MS, signal)) {
      const event = eventSchema.parse(line);
      if (event.type === 'ERROR') throw new Error(`watch: ${JSON.stringify(event.object)}`);
      const found = object.parse(event.object);
      this.#revision = Math.max(this.#revision, versionOf(found));
      if (event.type !== 'BOOKMARK') this.#take(event.type, found);
    }
  }

  #take(type: string, found: ApiObject): void {
    const key = keyOf(found);
    const known = this.#entries.get(key);
    if (known !== undefined && known.version > versionOf(found)) return;
    if (type === 'DELETED') {
      this.#entries.delete(key);
      if (known?.value !== undefined) this.#options.changed();
      return;
    }
    const entry = this.#entry(found);
    this.#entries.set(key, entry);
    if (known?.text !== entry.text) this.#options.changed();
  }

  #entry(found: ApiObject): Entry<T> {
    const value = this.#options.parse(found);
    return { version: versionOf(found), text: JSON.stringify(value) ?? '', value };
  }
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function versionOf({ metadata }: ApiObject): number {
  return Number(metadata.resourceVersion);
}

function digest<T>(entries: ReadonlyMap<string, Entry<T>>): string {
  return JSON.stringify([...entries].map(([key, { text }]) => [key, text]).sort());
}
