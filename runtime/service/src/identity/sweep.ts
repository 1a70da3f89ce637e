import { isDirectory, type Provider, providersOf } from '@delos/core';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import { PERSON_LOOKED } from '../db/notifications.ts';
import {
  applyProvider,
  membersOf,
  noteProvider,
  type ProviderPerson,
  type ProviderState,
  removeUsers,
  usersOf,
} from '../db/provider-members.ts';
import { isRealmWanted, whileKeepingRealm } from '../db/realm-wanted.ts';
import { accountsOf } from '../db/users.ts';
import type { KeycloakAdmin } from './keycloak-admin.ts';
import { directories } from './providers/converge-directory.ts';
import type { ProviderSecrets } from './providers/converge-providers.ts';
import { directoryFault, goneOf, peopleOf, personOf, together } from './providers/people.ts';
import { convergeWhole, type IdentitySecrets } from './reconcile.ts';
import type { WantedRealm } from './settings.ts';

/** What a keeper of the realm works with. */
export interface KeeperDeps {
  readonly admin: KeycloakAdmin;
  readonly database: Pick<Database, 'db' | 'tx'>;
  readonly wanted: WantedRealm;
  readonly log: Logger;
  /** Read anew at each sweep. */
  readonly secrets: () => Promise<{
    readonly own: IdentitySecrets;
    readonly of: ProviderSecrets['of'];
    readonly missing: ReadonlyMap<string, string>;
  }>;
}

/** What a sweep found. */
export interface Swept {
  /** What was not as it shall be, and is again. */
  readonly drift: readonly string[];
  readonly providers: ReadonlyMap<string, ProviderState>;
}

/** Keycloak shows no secret, so one that was changed by hand is found by nobody: it is written again so often. */
const SECRET_MS = 3_600_000;
/** Accounts of a provider that one sweep looks for, each by a question. */
const LOOKED_FOR = 200;
/** People of an Active Directory that one sweep asks for one by one. */
const ASKED_FOR = 200;

/** Keeps the realm as it shall be, and users and memberships as the providers say. */
export class RealmKeeper {
  readonly #deps: KeeperDeps;
  readonly #realm: string;
  readonly #providers: readonly Provider[];
  /** Provider → the secret that was written, and when. */
  readonly #written = new Map<string, { readonly secret: string; readonly at: number }>();
  readonly #problems = new Map<string, string>();
  /** Provider → the last reading of its groups: only what two in a row lack is taken away. */
  readonly #read = new Map<string, readonly ProviderPerson[]>();
  #lookedFor = 0;
  /** Provider → where the next sweep begins with its people. */
  readonly #askedFor = new Map<string, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#realm = `/realms/${deps.wanted.spec.realm}`;
    this.#providers = providersOf(deps.wanted.spec.providers);
    for (const { settings } of this.#providers) {
      if (!('insecure' in settings) || !settings.insecure) continue;
      deps.log.warn({ provider: settings.name }, 'passwords go to this directory for everybody in between to read');
    }
  }

  /** One round. Undefined where another configuration was deployed meanwhile, whose keeper will come. */
  async sweep(): Promise<Swept | undefined> {
    const { database, wanted, log } = this.#deps;
    return whileKeepingRealm(database, async () => {
      if (!(await isRealmWanted(database.db, wanted.digest))) return undefined;
      const { drift, problems } = await this.#converge();
      if (drift.length > 0) log.warn({ drift }, 'the realm was not as delos.yaml says, and is again');
      const providers = new Map<string, ProviderState>();
      for (const provider of this.#providers) {
        const { name } = provider.settings;
        const problem = problems.get(name);
        const state = problem === undefined ? await this.#readGroups(provider) : { problem, away: true };
        providers.set(name, state);
        await this.#note(provider, state);
      }
      return { drift, providers };
    });
  }

  /** Somebody is here who is not known, or logged in anew: takes over what their provider says now. */
  async look(subject: string): Promise<void> {
    const { database } = this.#deps;
    try {
      await this.#look(subject);
    } finally {
      await sql`select pg_notify(${PERSON_LOOKED}, ${subject})`.execute(database.db);
    }
  }

  async #look(subject: string): Promise<void> {
    const { admin, database, wanted, log } = this.#deps;
    if (!(await isRealmWanted(database.db, wanted.digest))) return;
    const found = await personOf(admin, this.#realm, this.#providers, wanted.spec.organizations, subject);
    if (found === undefined) return;
    const { provider, person } = found;
    const { name } = provider.settings;
    const { changes, refused } = await database.tx((tx) => applyProvider(tx, name, [person], false));
    if (changes.length > 0) log.info({ provider: name, changes }, 'a user came');
    if (refused.length > 0) log.warn({ provider: name, refused }, 'somebody was not let in');
  }

  async #converge(): Promise<{ readonly drift: readonly string[]; readonly problems: ReadonlyMap<string, string> }> {
    const { admin, wanted, database, log } = this.#deps;
    const { own, of, missing } = await this.#deps.secrets();
    const now = performance.now();
    const anew = (provider: string): boolean => {
      const written = this.#written.get(provider);
      return written === undefined || written.secret !== of.get(provider) || now - written.at > SECRET_MS;
    };
    const accounts = accountsOf(database);
    const { changes, problems, people } = await convergeWhole(admin, wanted.spec, own, { of, anew }, accounts);
    if (people !== undefined) log.error({ error: people }, 'people of the realm could not be looked after');
    for (const { settings } of this.#providers) {
      const secret = of.get(settings.name);
      if (secret === undefined || problems.has(settings.name) || !anew(settings.name)) continue;
      this.#written.set(settings.name, { secret, at: now });
    }
    return { drift: changes, problems: new Map([...missing, ...problems]) };
  }

  /** Reads who is in which group now. A directory that does not answer changes nothing. */
  async #readGroups(provider: Provider): Promise<ProviderState> {
    const { admin, database, wanted, log } = this.#deps;
    const { name } = provider.settings;
    try {
      const before = await this.#fault(provider);
      if (before !== undefined) return { problem: before, away: true };
      const listed = await peopleOf(admin, this.#realm, provider, wanted.spec.organizations);
      const read = provider.kind === 'activeDirectory' ? await this.#withNested(name, listed) : listed;
      const after = await this.#fault(provider);
      if (after !== undefined) return { problem: after, away: true };
      const last = this.#read.get(name);
      this.#read.set(name, read);
      const people = last === undefined ? read : together(last, read);
      const { changes, refused } = await database.tx((tx) => applyProvider(tx, name, people, last !== undefined));
      const all = [...changes, ...(await this.#removeGone(provider))];
      if (all.length > 0) log.info({ provider: name, changes: all }, 'groups were read');
      return { away: false, ...(refused.length === 0 ? {} : { problem: `not let in: ${shortened(refused)}` }) };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error), away: true };
    }
  }

  /**
   * A group of an Active Directory has groups in it. Keycloak lists a group's own members alone; of a person it tells all groups. So
   * whoever is known is asked for too, some at a time. What the others have stays until it is their turn.
   */
  async #withNested(name: string, listed: readonly ProviderPerson[]): Promise<readonly ProviderPerson[]> {
    const { admin, database, wanted } = this.#deps;
    const known = await database.tx((tx) => membersOf(tx, name));
    const from = known.length === 0 ? 0 : (this.#askedFor.get(name) ?? 0) % known.length;
    const turned = [...known.slice(from), ...known.slice(0, from)];
    const asked: ProviderPerson[] = [];
    for (const { subject } of turned.slice(0, ASKED_FOR)) {
      const found = await personOf(admin, this.#realm, this.#providers, wanted.spec.organizations, subject);
      if (found?.provider.settings.name === name) asked.push(found.person);
    }
    this.#askedFor.set(name, from + ASKED_FOR);
    return together(together(listed, asked), turned.slice(ASKED_FOR));
  }

  async #fault(provider: Provider): Promise<string | undefined> {
    if (!isDirectory(provider)) return undefined;
    const { admin } = this.#deps;
    const found = (await directories(admin, this.#realm)).find(({ name }) => name === provider.settings.name);
    if (found === undefined) return 'Keycloak does not show it';
    const fault = await directoryFault(admin, this.#realm, found);
    // It may be the password, changed by hand: the next sweep writes it.
    if (fault !== undefined) this.#written.delete(provider.settings.name);
    return fault;
  }

  /** Some at a time, so that a sweep stays short. */
  async #removeGone(provider: Provider): Promise<readonly string[]> {
    const { admin, database } = this.#deps;
    const { name } = provider.settings;
    const subjects = [...(await database.tx((tx) => usersOf(tx, name))).keys()].sort();
    const from = subjects.length === 0 ? 0 : this.#lookedFor % subjects.length;
    const some = [...subjects.slice(from), ...subjects.slice(0, from)].slice(0, LOOKED_FOR);
    this.#lookedFor += some.length;
    const gone = await goneOf(admin, this.#realm, some);
    if (gone.length === 0) return [];
    return database.tx((tx) => removeUsers(tx, name, gone));
  }

  /** Told when it changes, not at each sweep. */
  async #note({ kind, settings: { name } }: Provider, state: ProviderState): Promise<void> {
    const { database, log } = this.#deps;
    await database.tx((tx) => noteProvider(tx, { name, kind }, state));
    const { problem } = state;
    const before = this.#problems.get(name);
    if (before === problem) return;
    if (problem === undefined) {
      this.#problems.delete(name);
      log.info({ provider: name }, 'the identity provider does well again');
    } else {
      this.#problems.set(name, problem);
      log.warn({ provider: name, problem }, 'something is wrong with an identity provider');
    }
  }
}

const shortened = (all: readonly string[]): string =>
  all.length <= 3 ? all.join('; ') : `${all.slice(0, 3).join('; ')}; and ${all.length - 3} more`;
