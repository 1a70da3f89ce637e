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

/** A login, as tokens tell of it. */
export interface Login {
  /** When the person showed who they are: seconds since 1970. */
  readonly at: number | undefined;
  /** Its session in Keycloak: two logins of one second differ in it. */
  readonly session: string | undefined;
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
  readonly #asked = new Map<string, { readonly at: number; readonly login: Login }>();

  constructor(database: Pick<Database, 'db' | 'notifications'>, configured: IdentityProviders) {
    this.#database = database;
    database.notifications.on(PERSON_LOOKED, (subject) => this.#waiting.get(subject)?.());
    this.#relogin = new Map(
      providersOf(configured).flatMap(({ settings }) =>
        'reloginHours' in settings ? [[settings.name, settings.reloginHours]] : [],
      ),
    );
  }

  /** Whether the keeper shall look at somebody. */
  isNews(subject: string, known: KnownPerson | undefined, login: Login): boolean {
    if (known !== undefined) {
      const looked = known.looked_at?.getTime() ?? 0;
      // A token tells whole seconds: a look within the same one may have been before the login.
      if (known.provider === null || login.at === undefined || (login.at + 1) * 1000 <= looked) return false;
    }
    const asked = this.#asked.get(subject);
    if (asked === undefined || performance.now() - asked.at > AGAIN_MS) return true;
    return asked.login.at !== login.at || asked.login.session !== login.session;
  }

  /** Tells the keeper, and waits for its word, a bounded time. */
  async look(subject: string, login: Login): Promise<void> {
    if (this.#asked.size >= MOST) this.#asked.clear();
    this.#asked.set(subject, { at: performance.now(), login });
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
