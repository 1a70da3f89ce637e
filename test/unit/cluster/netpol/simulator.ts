/**
 * Just enough of nft to run what the compiler prints: its scripts as transactions, its rules on one packet. Written
 * from nft(8), not from the compiler; anything it does not know is an error.
 */
export interface Packet {
  readonly hook: 'forward' | 'input';
  readonly iif: string;
  readonly saddr: string;
  readonly daddr: string;
  readonly proto: 'tcp' | 'udp' | 'sctp';
  readonly dport: number;
  readonly reply: boolean;
  /** Of a connection that is there, from its opener. */
  readonly established?: boolean;
}

interface SimChain {
  hook: string | undefined;
  rules: string[];
}

interface State {
  readonly sets: Map<string, { readonly type: string; readonly elements: Set<string> }>;
  readonly maps: Map<string, Map<string, string>>;
  readonly chains: Map<string, SimChain>;
}

type Verdict = 'accept' | 'drop' | 'continue';

export class NftSimulator {
  #state: State | undefined;

  /** Runs one `nft -f` script. */
  run(script: string): void {
    const lines = script.split('\n').map((line) => line.trim());
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] ?? '';
      if (line === '') continue;
      if (/^table inet \S+ \{$/.test(line)) at = this.#block(lines, at + 1);
      else this.#command(line);
    }
    this.#check();
  }

  /** Everything that decides packets, in an order of its own. */
  dump(): unknown {
    const { sets, maps, chains } = this.state;
    const sorted = <T>(entries: Iterable<readonly [string, T]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      sets: sorted(sets).map(([name, { type, elements }]) => [name, type, [...elements].sort()]),
      maps: sorted(maps).map(([name, map]) => [name, sorted(map)]),
      chains: sorted(chains).map(([name, { hook, rules }]) => [name, hook, rules]),
    };
  }

  get state(): State {
    if (this.#state === undefined) throw new Error('no table');
    return this.#state;
  }

  /** Whether the packet gets through every base chain of its hook. */
  passes(packet: Packet): boolean {
    const base = [...this.state.chains.values()]
      .filter(({ hook }) => hook?.includes(`hook ${packet.hook} `))
      .sort((a, b) => priority(a) - priority(b));
    return base.every(({ rules }) => this.#rules(rules, packet, 0) !== 'drop');
  }

  #block(lines: readonly string[], from: number): number {
    const state = this.#state ?? empty();
    this.#state = state;
    for (let at = from; at < lines.length; at++) {
      const line = lines[at] ?? '';
      if (line === '}') return at;
      const [kind, name = ''] = line.split(' ');
      const body: string[] = [];
      for (at++; lines[at] !== '}'; at++) body.push(lines[at] ?? '');
      if (kind === 'chain') {
        const hook = body.find((text) => text.startsWith('type '));
        const rules = body.filter((text) => !text.startsWith('type ') && !text.startsWith('comment '));
        state.chains.set(name, { hook, rules });
        continue;
      }
      const type = (body[0] ?? '').replace('type ', '');
      const elements = body.slice(1).flatMap((text) => list(text.replace('elements = ', '')));
      if (kind === 'set') state.sets.set(name, { type, elements: new Set(elements) });
      else if (kind === 'map') state.maps.set(name, new Map(elements.map(pair)));
      else throw new Error(`not known: ${line}`);
    }
    throw new Error('table not closed');
  }

  #command(line: string): void {
    const [verb, kind, family, , name = '', ...rest] = line.split(' ');
    if (verb === 'table') {
      this.#state ??= empty();
      return;
    }
    if (verb === 'delete' && kind === 'table') {
      this.#state = undefined;
      return;
    }
    if (family !== 'inet') throw new Error(`not known: ${line}`);
    const state = this.state;
    const tail = rest.join(' ');
    const chain = () => must(state.chains.get(name), line);
    switch (`${verb} ${kind}`) {
      case 'add set':
        state.sets.set(name, { type: tail.replace(/^\{ type (.*); \}$/, '$1'), elements: new Set() });
        return;
      case 'delete set':
        if (this.#referenced(`@${name}`)) throw new Error(`busy: ${line}`);
        state.sets.delete(name);
        return;
      case 'add chain':
        if (state.chains.has(name)) throw new Error(`exists: ${line}`);
        state.chains.set(name, { hook: undefined, rules: [] });
        return;
      case 'flush chain':
        chain().rules = [];
        return;
      case 'delete chain':
        if (this.#referenced(`jump ${name}`) || chain().rules.length > 0) throw new Error(`busy: ${line}`);
        state.chains.delete(name);
        return;
      case 'add rule':
        chain().rules.push(tail);
        return;
      case 'add element':
      case 'delete element':
        this.#element(verb === 'add', name, list(tail), line);
        return;
      default:
        throw new Error(`not known: ${line}`);
    }
  }

  #element(add: boolean, name: string, elements: readonly string[], line: string): void {
    const { sets, maps } = this.state;
    const map = maps.get(name);
    for (const element of elements) {
      if (map === undefined) {
        const set = must(sets.get(name), line).elements;
        if (set.has(element) === add) throw new Error(`${add ? 'exists' : 'missing'}: ${line}`);
        if (add) set.add(element);
        else set.delete(element);
        continue;
      }
      const [key, verdict] = pair(element);
      if (map.has(key) === add) throw new Error(`${add ? 'exists' : 'missing'}: ${line}`);
      if (add) map.set(key, verdict);
      else map.delete(key);
    }
  }

  /** What every rule and verdict names must be there when a transaction ends. */
  #check(): void {
    if (this.#state === undefined) return;
    const { sets, maps, chains } = this.#state;
    const texts = [
      ...[...chains.values()].flatMap(({ rules }) => rules),
      ...[...maps.values()].flatMap((m) => [...m.values()]),
    ];
    for (const text of texts) {
      for (const [, name = ''] of text.matchAll(/jump (\S+)/g)) must(chains.get(name), text);
      for (const [, name = ''] of text.matchAll(/@(\S+)/g)) must(sets.get(name) ?? maps.get(name), text);
    }
  }

  #referenced(what: string): boolean {
    const { maps, chains } = this.state;
    const uses = (text: string) =>
      text.split(/(?= @| jump )/).some((part) => part.trim() === what || part.trim().startsWith(`${what} `));
    return (
      [...chains.values()].some(({ rules }) => rules.some(uses)) ||
      [...maps.values()].some((map) => [...map.values()].some((verdict) => verdict === what))
    );
  }

  #rules(rules: readonly string[], packet: Packet, depth: number): Verdict {
    if (depth > 8) throw new Error('jumps too deep');
    for (const rule of rules) {
      const verdict = this.#rule(rule, packet, depth);
      if (verdict !== 'continue') return verdict;
    }
    return 'continue';
  }

  #rule(rule: string, packet: Packet, depth: number): Verdict {
    let rest = rule;
    const into = (name: string) => this.#rules(must(this.state.chains.get(name), rule).rules, packet, depth + 1);
    while (rest !== '') {
      const verdict = /^(?:counter )?(accept|drop|reject with icmpx admin-prohibited)$/.exec(rest)?.[1];
      if (verdict !== undefined) return verdict === 'accept' ? 'accept' : 'drop';
      const jump = /^jump (\S+)$/.exec(rest)?.[1];
      if (jump !== undefined) return into(jump);
      const lookup = /^ip (saddr|daddr) vmap @(\S+)$/.exec(rest);
      if (lookup !== null) {
        const found = must(this.state.maps.get(lookup[2] ?? ''), rule).get(packet[lookup[1] as 'saddr' | 'daddr']);
        return found === undefined ? 'continue' : into(found.replace('jump ', ''));
      }
      const match = MATCHES.map(([pattern, holds]) => ({ found: pattern.exec(rest), holds })).find(
        ({ found }) => found,
      );
      if (!match?.found) throw new Error(`not known: ${rule}`);
      if (!match.holds(packet, match.found.slice(1), (name) => must(this.state.sets.get(name), rule).elements)) {
        return 'continue';
      }
      rest = rest.slice(match.found[0].length).trim();
    }
    throw new Error(`no verdict: ${rule}`);
  }
}

type Holds = (packet: Packet, groups: readonly string[], set: (name: string) => ReadonlySet<string>) => boolean;

const MATCHES: readonly (readonly [RegExp, Holds])[] = [
  [/^ct direction reply ct state established,related/, ({ reply }) => reply],
  [/^ct state related/, () => false],
  [/^ct state != established/, ({ established = false }) => !established],
  [/^iifname "(\w+)\*"/, ({ iif }, [prefix = '']) => iif.startsWith(prefix)],
  [/^ip saddr \. ip daddr @(\S+)/, ({ saddr, daddr }, [name = ''], set) => set(name).has(`${saddr} . ${daddr}`)],
  [
    /^ip daddr \. meta l4proto \. th dport @(\S+)/,
    ({ daddr, proto, dport }, [name = ''], set) => set(name).has(`${daddr} . ${proto} . ${dport}`),
  ],
  [
    /^ip (saddr|daddr) (!= )?(\S+)/,
    (packet, [field, not, value = ''], set) => {
      const address = packet[field as 'saddr' | 'daddr'];
      const found = value.startsWith('@') ? set(value.slice(1)).has(address) : inBlock(address, value);
      return found === (not === undefined);
    },
  ],
  [/^meta l4proto (\w+)/, ({ proto }, [name]) => proto === name],
  [
    /^(tcp|udp|sctp) dport (\d+)(?:-(\d+))?/,
    ({ proto, dport }, [name, low, high]) => proto === name && dport >= Number(low) && dport <= Number(high ?? low),
  ],
];

/** By octets' bits as text, so that it shares nothing with the arithmetic under test. */
export function inBlock(address: string, block: string): boolean {
  const [base = '', bits = '32'] = block.split('/');
  const text = (ip: string) =>
    ip
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('');
  return text(address).slice(0, Number(bits)) === text(base).slice(0, Number(bits));
}

function empty(): State {
  return { sets: new Map(), maps: new Map(), chains: new Map() };
}

function list(text: string): string[] {
  return text
    .replace(/^\{ ?| ?\}$/g, '')
    .split(', ')
    .filter((element) => element !== '');
}

function pair(element: string): [string, string] {
  const [key = '', verdict = ''] = element.split(' : ');
  return [key, verdict];
}

function priority({ hook }: SimChain): number {
  return Number(/filter \+ (\d+)/.exec(hook ?? '')?.[1] ?? 0);
}

/** @throws Error where it is not there */
export function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`dangling: ${what}`);
  return value;
}
