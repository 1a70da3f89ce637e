import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { entranceNames, type PlatformConfig } from '@delos/core';

/** What one of the platform's names leads to, as this machine resolves it. */
export interface ResolvedName {
  /** As the record has it, `*` included. */
  readonly name: string;
  /** What was really asked for: a `*` stands for any label. */
  readonly asked: string;
  /** Empty: it leads nowhere. */
  readonly addresses: readonly string[];
}

/** Somebody waits. A resolver that does not answer may take much longer. */
const LIMIT_MS = 5_000;

/** Asks the resolver of this machine for each name, with a label that nobody has where any will do. */
export function resolveNames({ domain }: PlatformConfig): Promise<readonly ResolvedName[]> {
  const label = `delos-check-${randomBytes(4).toString('hex')}`;
  return Promise.all(
    entranceNames(domain).map(async (name) => {
      const asked = name.replace('*', label);
      const late = new Promise<readonly []>((resolve) => setTimeout(resolve, LIMIT_MS, []).unref());
      const found = lookup(asked, { all: true, order: 'verbatim' }).then(
        (all) => all.map(({ address }) => address).sort(),
        () => [],
      );
      return { name, asked, addresses: await Promise.race([found, late]) };
    }),
  );
}

/**
 * What is wrong with the names, a line each.
 * @param addresses that they shall lead to; empty: not known
 */
export function nameFaults(names: readonly ResolvedName[], addresses: readonly string[]): readonly string[] {
  return names.flatMap(({ name, asked, addresses: found }) => {
    if (found.length === 0) return [`${name} leads nowhere (asked for ${asked})`];
    const strange = addresses.length === 0 ? [] : found.filter((address) => !addresses.includes(address));
    return strange.length === 0 ? [] : [`${name} leads to ${strange.join(', ')}, and not to ${addresses.join(', ')}`];
  });
}
