import dns, { type LookupAddress } from 'node:dns';
import { CLUSTER_DOMAIN } from '@delos/core';

/*
 * Names of Services, asked for once and remembered. Where a node is lost that has one of the Pods of cluster DNS, half of all
 * questions get no answer until Kubernetes has noticed, and the C library sends each of them again to where it went first: five
 * seconds. Node has four threads for such questions, so a few of them keep all connections of a process from being made.
 *
 * A Service keeps its address as long as it is there. So one question is under way for a name at a time, and who asks is told the
 * address of before when the answer does not come soon.
 */

/** An answer that takes longer is not waited for, where there is one of before. */
const PATIENCE_MS = 300;
/** Names that are remembered at most: those of one platform are some twenty. */
const MOST_NAMES = 200;

/** Asks for all addresses of a name. */
export type Ask = (name: string, options: dns.LookupOptions) => Promise<LookupAddress[]>;

/** The answers to questions for names, and what is under way. */
export class RememberedNames {
  readonly #ask: Ask;
  readonly #patienceMs: number;
  readonly #known = new Map<string, LookupAddress[]>();
  readonly #underWay = new Map<string, Promise<LookupAddress[]>>();

  constructor(ask: Ask, patienceMs = PATIENCE_MS) {
    this.#ask = ask;
    this.#patienceMs = patienceMs;
  }

  /** @throws NodeJS.ErrnoException as the question, where the name is not known or is known to be no name any more */
  async find(name: string, options: dns.LookupOptions): Promise<LookupAddress[]> {
    const key = `${name} ${options.family ?? 0} ${options.hints ?? 0} ${options.order ?? ''}`;
    const question = this.#underWay.get(key) ?? this.#begin(key, name, options);
    const known = this.#known.get(key);
    if (known === undefined) return await question;
    const patience = Promise.withResolvers<LookupAddress[]>();
    const timer = setTimeout(() => patience.resolve(known), this.#patienceMs);
    try {
      return await Promise.race([question.catch(() => this.#known.get(key) ?? question), patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #begin(key: string, name: string, options: dns.LookupOptions): Promise<LookupAddress[]> {
    const question = this.#ask(name, options).then(
      (found) => {
        this.#known.delete(key);
        this.#known.set(key, found);
        const [oldest] = this.#known.keys();
        if (this.#known.size > MOST_NAMES && oldest !== undefined) this.#known.delete(oldest);
        return found;
      },
      (error: NodeJS.ErrnoException) => {
        // An answer, and not the lack of one: the Service has gone.
        if (error.code === 'ENOTFOUND') this.#known.delete(key);
        throw error;
      },
    );
    this.#underWay.set(key, question);
    void question.catch(() => undefined).finally(() => this.#underWay.delete(key));
    return question;
  }
}

type Told = (error: NodeJS.ErrnoException | null, address?: string | LookupAddress[], family?: number) => void;

/** Has all connections of this process find Services so. Other names are asked for as before. */
export function rememberNames(): void {
  const asked = dns.lookup;
  const names = new RememberedNames((name, options) => dns.promises.lookup(name, { ...options, all: true }));
  const lookup = (name: string, given: dns.LookupOptions | number | Told, last?: Told): void => {
    const told = (typeof given === 'function' ? given : last) as Told;
    const options = typeof given === 'function' ? {} : typeof given === 'number' ? { family: given } : given;
    if (typeof name !== 'string' || !name.endsWith(`.svc.${CLUSTER_DOMAIN}`)) {
      asked(name, options, told as never);
      return;
    }
    names.find(name, options).then(
      (found) => {
        const [first] = found;
        if (options.all === true) told(null, found);
        else told(null, first?.address ?? '', first?.family ?? 4);
      },
      (error: NodeJS.ErrnoException) => told(error),
    );
  };
  Object.assign(dns, { lookup: Object.assign(lookup, asked) });
}
