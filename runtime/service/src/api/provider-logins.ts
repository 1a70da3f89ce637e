import { setTimeout as sleep } from 'node:timers/promises';
import { type IdentityProviders, providersOf } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { PERSON_SEEN } from '../db/notifications.ts';

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
const POLL_MS = 50;
/** Nobody is asked about again within this time. */
const AGAIN_MS = 10_000;
/** People that are remembered as asked about. */
const MOST = 10_000;

export class ProviderLogins {
  readonly #database: Pick<Database, 'db'>;
  /** Provider → hours after which its users log in again. Directories are asked at each sweep, and need none. */
  readonly #relogin: ReadonlyMap<string, number>;
  readonly #asked = new Map<string, number>();

  constructor(database: Pick<Database, 'db'>, configured: IdentityProviders) {
    this.#database = database;
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
      if (known.provider === null || loggedIn === undefined || loggedIn * 1000 <= looked) return false;
    }
    return performance.now() - (this.#asked.get(subject) ?? Number.NEGATIVE_INFINITY) > AGAIN_MS;
  }

  /** Tells the keeper, and waits for what it finds, a bounded time. */
  async look(subject: string, read: () => Promise<KnownPerson | undefined>): Promise<void> {
    const before = (await read())?.looked_at?.getTime();
    this.#note(subject);
    await sql`select pg_notify(${PERSON_SEEN}, ${subject})`.execute(this.#database.db);
    const until = performance.now() + WAIT_MS;
    while (performance.now() < until) {
      const now = await read();
      if (now !== undefined && now.looked_at?.getTime() !== before) return;
      await sleep(POLL_MS);
    }
  }

  /** Why a login counts no longer, in words; undefined where it does. */
  hasEnded(provider: string, loggedIn: number | undefined): string | undefined {
    const hours = this.#relogin.get(provider);
    if (hours === undefined) return undefined;
    if (loggedIn !== undefined && Date.now() < loggedIn * 1000 + hours * 3_600_000) return undefined;
    return `users of ${provider} have to log in again after ${hours} ${hours === 1 ? 'hour' : 'hours'}, so that it can say whether they still may`;
  }

  #note(subject: string): void {
    if (this.#asked.size >= MOST) this.#asked.clear();
    this.#asked.set(subject, performance.now());
  }
}
