import type { RotationWay, Synthesis } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { SecretStore } from '@delos/stacks';
import { table } from '../../table.ts';

/** A secret that is made here, and how it is rotated. */
export interface RotatedSecret {
  /** `SECRET` where that is all of it, else `SECRET/KEY`; by this a person names it. */
  readonly name: string;
  /** `NAMESPACE/SECRET/KEY`. */
  readonly address: string;
  readonly way: RotationWay;
  /** How far a rotation got that was interrupted. */
  readonly phase: 'none' | 'next' | 'former';
  /** How often it was rotated. */
  readonly times: number;
}

const UNSAID: RotationWay = { kind: 'kept', why: 'its construct does not say how' };

/** Every secret of a deployment that is made here, certificates aside. */
export function rotatedSecrets({ objects }: Synthesis, store: SecretStore): readonly RotatedSecret[] {
  return objects.flatMap(({ manifest, secrets }) => {
    const made = Object.entries(secrets).filter(([, { kind }]) => kind === 'password' || kind === 'signing-key');
    return made.map(([key, source]) => {
      const { name, namespace = '' } = manifest.metadata;
      const way = ('rotation' in source ? source.rotation : undefined) ?? UNSAID;
      const address = `${namespace}/${name}/${key}`;
      return {
        name: Object.keys(secrets).length === 1 ? name : `${name}/${key}`,
        address,
        way,
        phase: store.turns[address]?.phase ?? 'none',
        times: Math.floor((store.steps[address] ?? 0) / 3),
      };
    });
  });
}

/**
 * Those that are named; all that can be where that is asked for. A rotation that was interrupted goes on with its own.
 * @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT
 */
export function chosen(
  all: readonly RotatedSecret[],
  asked: {
    readonly names: readonly string[];
    readonly every: boolean;
    /** Addresses of a rotation that was interrupted. */
    readonly interrupted: readonly string[];
  },
): readonly RotatedSecret[] {
  const { names, every, interrupted } = asked;
  const unknown = names.find((name) => !all.some((secret) => secret.name === name));
  if (unknown !== undefined) {
    throw new DelosError('ERR_NOT_FOUND', `no secret is called ${unknown}`, {
      hint: '`delos rotate --list` names them; certificates: `delos rotate tls`',
    });
  }
  const kept = all.find(({ name, way }) => names.includes(name) && way.kind === 'kept');
  if (kept?.way.kind === 'kept') {
    throw new DelosError('ERR_CONFLICT', `${kept.name} is not rotated: ${kept.way.why}`, {
      hint: '`delos rotate --list` says which are',
    });
  }
  if (interrupted.length > 0) {
    return all.filter(({ address, phase }) => interrupted.includes(address) || phase !== 'none');
  }
  return all.filter(
    ({ name, way }) => way.kind !== 'kept' && (names.includes(name) || (every && endedBy(way) === undefined)),
  );
}

/** What people hold that ends with the former value: such a secret is rotated where it is named alone. */
const endedBy = (way: RotationWay): string | undefined => (way.kind === 'overlap' ? way.ends : undefined);

/** Secrets that show what these addresses hold: their own, and those that follow from them. */
export function shownBy({ objects }: Synthesis, addresses: readonly string[]): ReadonlySet<string> {
  const parts = addresses.map((address) => address.split('/'));
  const names = new Set(parts.map(([, name = '']) => name));
  const refs = new Set(parts.map(([, name = '', key = '']) => `${name}/${key}`));
  for (const { manifest, secrets } of objects) {
    const follows = Object.values(secrets).some((source) => 'ref' in source && refs.has(source.ref));
    if (follows) names.add(manifest.metadata.name);
  }
  return names;
}

/** For a person. */
export const listText = (all: readonly RotatedSecret[]): string =>
  table(
    ['SECRET', 'ROTATED', 'HOW, OR WHY NOT'],
    all.map(({ name, way, times, phase }) => [
      name,
      phase === 'none' ? (times === 0 ? 'never' : `${times} times`) : 'under way',
      way.kind === 'kept' ? `not: ${way.why}` : wordsOf(way),
    ]),
  );

const WORDS = {
  overlap: 'two are accepted while all change to the new one',
  role: 'its clients have both while PostgreSQL changes to the new one',
  told: 'its clients have both while Keycloak is told of the new one',
} as const;

function wordsOf(way: Exclude<RotationWay, { readonly kind: 'kept' }>): string {
  const ends = endedBy(way);
  return `${WORDS[way.kind]}${ends === undefined ? '' : `; by its name alone, since it ends ${ends}`}`;
}
