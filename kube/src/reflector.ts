import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { KubeClient, Query } from './client.ts';
import { KubeError } from './errors.ts';

export interface ReflectorProps<T> {
  readonly client: Pick<KubeClient, 'get' | 'watch'>;
  /** Of the collection: `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Query;
  /** Reads the part of an object that is needed; undefined leaves the object out. */
  readonly read: (object: unknown) => T | undefined;
  /** The part that is read of an object has changed. `gone`: it is no longer there, and this was its last known state. */
  readonly onChange: (object: T, gone: boolean) => void;
  /** After each complete list. */
  readonly onListed?: () => void;
  /** The connection broke: it is tried again. */
  readonly onProblem: (error: Error) => void;
  /** Milliseconds after which all is listed again, whatever the watch said. @default 5 minutes */
  readonly resyncMs?: number;
}

const PAGE = '500';
const LIST_LIMIT_MS = 30_000;
const WATCH_SECONDS = 120;
/** The server sends bookmarks about each minute; a connection that is silent for longer is dead. */
const SILENCE_MS = 90_000;
const RETRY_MS = [50, 200, 1_000, 2_000, 5_000];

const object = z.looseObject({
  metadata: z.looseObject({
    name: z.string().default(''),
    namespace: z.string().optional(),
    resourceVersion: z.string().default('0'),
  }),
});
const list = z.object({
  metadata: z.object({ resourceVersion: z.string().default('0'), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});
const watchEvent = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});
const failure = z.object({ code: z.number().default(0), message: z.string().default('') });

interface Entry<T> {
  readonly version: number;
  /** Of the part that is read. */
  readonly digest: string;
  readonly value: T | undefined;
}

/**
 * A kept copy of a collection: listed, watched, listed again when the watch breaks, falls behind or is old. Resource
 * versions are compared as numbers: they are etcd's revision, and comparable by Kubernetes' own word since 1.35 (KEP-5504).
 */
export class Reflector<T> {
  readonly #props: ReflectorProps<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #listed = Promise.withResolvers<void>();
  /** The revision up to which the copy is complete. */
  #revision = 0;
  #synced = false;
  #problem: string | undefined = 'not listed yet';

  constructor(props: ReflectorProps<T>) {
    this.#props = props;
  }

  *values(): Generator<T, void, void> {
    for (const { value } of this.#entries.values()) if (value !== undefined) yield value;
  }

  /** True once the collection was listed. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Resolves after the first complete list. */
  get listed(): Promise<void> {
    return this.#listed.promise;
  }

  /** Why the copy may be old; undefined where it is not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Takes in objects that were read past the watch. Only news: an object that is absent here though the copy is newer
   * than it has been deleted since, and stays so.
   * @returns the last of them, as it is read
   */
  put(...objects: readonly unknown[]): T | undefined {
    let last: T | undefined;
    for (const found of objects) {
      const entry = this.#entry(found);
      last = entry.value;
      const known = this.#entries.get(keyOf(found))?.version ?? this.#revision;
      if (entry.version > known) this.#set(keyOf(found), entry);
    }
    return last;
  }

  /** Runs until the signal fires; no error ends it. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#list(signal);
        failures = 0;
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        const cause = error instanceof Error ? error : new Error(String(error));
        this.#problem = `${this.#props.path}: ${cause.message}`;
        this.#props.onProblem(cause);
        const limit = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 5_000;
        failures += 1;
        await sleep(limit / 2 + Math.random() * (limit / 2), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, path, query } = this.#props;
    const seen = new Set<string>();
    let revision = 0;
    for (let next: string | undefined; ; ) {
      const page = list.parse(
        await client.get(
          path,
          { ...query, limit: PAGE, ...(next === undefined ? {} : { continue: next }) },
          { signal, limitMs: LIST_LIMIT_MS },
        ),
      );
      revision = Number(page.metadata.resourceVersion);
      for (const found of page.items) {
        const key = keyOf(found);
        seen.add(key);
        const entry = this.#entry(found);
        // It may have been asked for before, and be answered after, a newer state was heard of.
        if (entry.version >= (this.#entries.get(key)?.version ?? 0)) this.#set(key, entry);
      }
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      if (next === undefined) break;
    }
    for (const [key, { version }] of this.#entries) if (!seen.has(key) && version <= revision) this.#remove(key);
    this.#revision = revision;
    this.#synced = true;
    this.#problem = undefined;
    this.#listed.resolve();
    this.#props.onListed?.();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, path, query, resyncMs = 300_000 } = this.#props;
    const until = Date.now() + resyncMs;
    while (Date.now() < until && !signal.aborted) {
      const seconds = Math.min(WATCH_SECONDS, Math.max(1, Math.round((until - Date.now()) / 1000)));
      const events = client.watch(
        path,
        {
          ...query,
          watch: '1',
          allowWatchBookmarks: 'true',
          resourceVersion: String(this.#revision),
          timeoutSeconds: String(seconds),
        },
        SILENCE_MS,
        signal,
      );
      for await (const line of events) this.#take(watchEvent.parse(line));
    }
  }

  #take(event: z.infer<typeof watchEvent>): void {
    if (event.type === 'ERROR') {
      const { code, message } = failure.parse(event.object);
      throw new KubeError(code, message);
    }
    const entry = event.type === 'BOOKMARK' ? undefined : this.#entry(event.object);
    this.#revision = Math.max(this.#revision, versionOf(event.object));
    if (entry === undefined) return;
    const key = keyOf(event.object);
    if ((this.#entries.get(key)?.version ?? 0) > entry.version) return;
    if (event.type === 'DELETED') this.#remove(key, entry.value);
    else this.#set(key, entry);
  }

  #entry(found: unknown): Entry<T> {
    const value = this.#props.read(found);
    return { version: versionOf(found), digest: value === undefined ? '' : hash('sha1', JSON.stringify(value)), value };
  }

  #set(key: string, entry: Entry<T>): void {
    const known = this.#entries.get(key);
    this.#entries.set(key, entry);
    if (known?.digest === entry.digest) return;
    if (entry.value !== undefined) this.#changed(entry.value, false);
    else if (known?.value !== undefined) this.#changed(known.value, true);
  }

  /** @param last its state when it went, where that is known better than by the copy */
  #remove(key: string, last: T | undefined = this.#entries.get(key)?.value): void {
    this.#entries.delete(key);
    if (last !== undefined) this.#changed(last, true);
  }

  /** One object that cannot be taken must not keep all others from being heard. */
  #changed(value: T, gone: boolean): void {
    try {
      this.#props.onChange(value, gone);
    } catch (error) {
      this.#props.onProblem(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function keyOf(found: unknown): string {
  const { namespace = '', name } = object.parse(found).metadata;
  return `${namespace}/${name}`;
}

const versionOf = (found: unknown): number => Number(object.parse(found).metadata.resourceVersion);
