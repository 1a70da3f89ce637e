import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, ErrorReply } from '@redis/client';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { detach } from '../../edge/guard.ts';
import { liveOf } from '../../live-secret.ts';
import type { Cache, Reply, Script } from './cache.ts';
import type { CacheSettings } from './cache-settings.ts';

/** A command that takes longer is given up, and its connection too. In a cluster one takes less than a millisecond. */
export const COMMAND_MS = 100;
/** To connect and sign in. */
const CONNECT_MS = 2_000;
/** Commands that wait for their answers at once. With more, the cache counts as away. */
const MOST_UNDER_WAY = 500;
/** Between two tries to connect; twice as long each time. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** A connection that has held for so long is a good one: after it, tries begin with the shortest wait again. */
const GOOD_MS = 10_000;
/** Of warnings. */
const QUIET_MS = 60_000;

type Client = ReturnType<typeof createClient>;
/** `away`: no connection. `slow`: no answer in time. `refused`: the server answered with an error. `full`: too much at once. */
type Why = 'away' | 'slow' | 'refused' | 'full';

/**
 * The platform's cache in a Redis or Valkey. There is at most one connection. A command that is not answered in time
 * ends it, and until there is a new one every command is answered at once: with undefined. So a server that hangs costs
 * a tenth of a second every few seconds, and what waits for it is bounded in number and in time.
 */
export class RedisCache implements Cache {
  readonly #settings: CacheSettings;
  readonly #log: Logger;
  readonly #commandMs: number;
  readonly #end = new AbortController();
  readonly #up: Gauge;
  readonly #failures: Counter<'why'>;
  #client: Client | undefined;
  #underWay = 0;
  #unsaid = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  /** @param commandMs how long a command may take */
  constructor(
    settings: CacheSettings,
    { log, metrics }: { readonly log: Logger; readonly metrics: Registry },
    commandMs: number = COMMAND_MS,
  ) {
    this.#settings = settings;
    this.#commandMs = commandMs;
    this.#log = log;
    this.#up = new Gauge({ name: 'delos_cache_up', help: 'Whether the cache is connected', registers: [metrics] });
    this.#failures = new Counter({
      name: 'delos_cache_failures_total',
      help: 'Commands that the cache did not do: away, slow, refused, full',
      labelNames: ['why'],
      registers: [metrics],
    });
    detach(log, 'the connection to the cache', () => this.#keepConnected());
  }

  async command(...args: readonly string[]): Promise<Reply | undefined> {
    return this.#ask((client) => client.sendCommand<Reply>(args));
  }

  async run(program: Script, keys: readonly string[], args: readonly string[]): Promise<Reply | undefined> {
    const rest = [String(keys.length), ...keys, ...args];
    return this.#ask(async (client) => {
      try {
        return await client.sendCommand<Reply>(['EVALSHA', program.sha1, ...rest]);
      } catch (error) {
        // A server that has started anew does not know it yet.
        if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
        return client.sendCommand<Reply>(['EVAL', program.source, ...rest]);
      }
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.#drop(this.#client);
  }

  async #ask(send: (client: Client) => Promise<Reply>): Promise<Reply | undefined> {
    const client = this.#client;
    if (client === undefined) return this.#failed('away');
    if (this.#underWay >= MOST_UNDER_WAY) return this.#failed('full');
    this.#underWay += 1;
    try {
      return await within(this.#commandMs, send(client));
    } catch (error) {
      if (error instanceof ErrorReply) return this.#failed('refused', error);
      this.#drop(client);
      return this.#failed(error instanceof TooSlow ? 'slow' : 'away', error);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#end;
    let retry = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const client = clientOf(this.#settings);
      const gone = new Promise<void>((resolve) => client.once('end', resolve).once('error', () => resolve()));
      client.on('error', (error: unknown) => this.#failed('away', error));
      const from = performance.now();
      try {
        await within(CONNECT_MS, client.connect());
        await within(this.#commandMs, client.sendCommand(['PING'])).catch((error: unknown) => {
          // A refusal is an answer.
          if (!(error instanceof ErrorReply)) throw error;
        });
        this.#client = client;
        this.#up.set(1);
        this.#log.info({ host: this.#settings.host }, 'the cache is connected');
        await Promise.race([gone, aborted(signal)]);
      } catch (error) {
        this.#failed('away', error);
      }
      this.#drop(client);
      if (performance.now() - from > GOOD_MS) retry = FIRST_RETRY_MS;
      await sleep(retry * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      retry = Math.min(retry * 2, LAST_RETRY_MS);
    }
  }

  /** Every command that waits for an answer of it fails at once. */
  #drop(client: Client | undefined): void {
    if (this.#client === client) {
      this.#client = undefined;
      this.#up.set(0);
    }
    if (client?.isOpen === true) client.destroy();
  }

  /** One line a minute, however many fail. */
  #failed(why: Why, error?: unknown): undefined {
    if (this.#end.signal.aborted) return undefined;
    this.#failures.inc({ why });
    this.#unsaid += 1;
    const now = performance.now();
    if (now - this.#saidAt < QUIET_MS) return undefined;
    this.#log.warn(
      { why, error, failures: this.#unsaid },
      'the cache did not do what it was asked: until it does, each replica keeps limits by itself',
    );
    this.#saidAt = now;
    this.#unsaid = 0;
    return undefined;
  }
}

class TooSlow extends Error {
  override readonly name = 'TooSlow';
}

/** @throws TooSlow */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  // What has arrived while this process itself was busy is read first, and is not late.
  const timer = setTimeout(() => setImmediate(() => late.reject(new TooSlow(`no answer within ${ms} ms`))), ms);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function clientOf({ host, port, username, password, tls }: CacheSettings): Client {
  // An address is no name to ask for; the certificate is checked against it all the same.
  const name = isIP(host) === 0 ? { servername: host } : {};
  const secure = tls === undefined ? {} : { tls: true as const, ...name, ...tls };
  return createClient({
    username,
    password: liveOf(password).current(),
    // Connecting again is ours: the library would keep commands meanwhile.
    socket: { host, port, connectTimeout: CONNECT_MS, reconnectStrategy: false, ...secure },
    disableOfflineQueue: true,
    commandsQueueMaxLength: 2 * MOST_UNDER_WAY,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}
