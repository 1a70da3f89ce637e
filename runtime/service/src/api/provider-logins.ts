import { setTimeout as sleep } from 'node:timers/promises';
import { type IdentityProviders, providersOf } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { PERSON_LOOKED, PERSON_SEEN } from '../db/notifications.ts';

/*
 * People of identity providers, as their tokens arrive. Whoever is new, or has logged in anew, is told to the keeper of
 * the realm, which asks Keycloak and writes down what their groups give. It alone may ask Keycloak.
 */

/** What is known of a person. */
export interface KnownPerson {
  readonly provider: string | null;
  readonly looked_at: Date | null;
}

/** The keeper is waited for so long: it answers in a fraction of a second, where it runs and Keycloak does. */
const WAIT_MS = 5_000;
/** Nobody's login is asked about again within this time. */
const AGAIN_MS = 10_000;
/** People that are remembered as asked about. */
const MOST = 10_000;

export class ProviderLogins {
  readonly #database: Pick<Database, 'db' | 'notifications'>;
  /** Subject → who waits for the keeper's word. */
  readonly #waiting = new Map<string, () => void>();
  /** Provider → hours after which its users log in again. Directories are asked at each sweep, and need none. */
  readonly #relogin: ReadonlyMap<string, number>;
  /** Subject → when the keeper was asked, and about which login. */
  readonly #asked = new Map<string, { readonly at: number; readonly loggedIn: number | undefined }>();

  constructor(database: Pick<Database, 'db' | 'notifications'>, configured: IdentityProviders) {
    this.#database = database;
    database.notifications.on(PERSON_LOOKED, (subject) => this.#waiting.get(subject)?.());
    this.#relogin = new Map(
      providersOf(configured).flatMap(({ settings }) =>
        'reloginHours' in settings ? [[settings.name, settings.reloginHours]] : [],
      ),
    );
  }

  /** Whether the keeper shall look at somebody. @param loggedIn seconds since 1970 */
  isNews(subject: string, known: KnownPerson | undefined, loggedIn: number | undefined): boolean {
    if (known !== undefined) {
      const looked = known.looked_at?.getTime() ?? 0;
      // A token tells whole seconds: a look within the same one may have been before the login.
      if (known.provider === null || loggedIn === undefined || (loggedIn + 1) * 1000 <= looked) return false;
    }
    const asked = this.#asked.get(subject);
    return asked === undefined || asked.loggedIn !== loggedIn || performance.now() - asked.at > AGAIN_MS;
  }

  /** Tells the keeper, and waits for its word, a bounded time. */
  async look(subject: string, loggedIn: number | undefined): Promise<void> {
    if (this.#asked.size >= MOST) this.#asked.clear();
    this.#asked.set(subject, { at: performance.now(), loggedIn });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(subject, resolve);
    const over = new AbortController();
    try {
      await sql`select pg_notify(${PERSON_SEEN}, ${subject})`.execute(this.#database.db);
      await Promise.race([promise, sleep(WAIT_MS, undefined, { signal: over.signal }).catch(() => undefined)]);
    } finally {
      over.abort();
      if (this.#waiting.get(subject) === resolve) this.#waiting.delete(subject);
    }
  }

  /** Why a login counts no longer, in words; undefined where it does. */
  hasEnded(provider: string, loggedIn: number | undefined): string | undefined {
    const hours = this.#relogin.get(provider);
    if (hours === undefined) return undefined;
    if (loggedIn !== undefined && Date.now() < loggedIn * 1000 + hours * 3_600_000) return undefined;
    return `users of ${provider} have to log in again after ${hours} ${hours === 1 ? 'hour' : 'hours'}, so that it can say whether they still may`;
  }
}
