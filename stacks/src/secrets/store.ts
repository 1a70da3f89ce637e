import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { SecretSource, SynthesizedObject } from '@delos/constructs';
import { DelosError, keySetOf } from '@delos/core';
import type { SecretValues } from '../bridge/filled-config.ts';
import type { CertificateAuthority } from './authority.ts';
import { bundleOf, type Rotation, renewAuthority, renewLeaf } from './renewal.ts';
import { readSecretFile } from './secret-file.ts';
import type { SecretStore } from './secret-store.ts';
import { trustedAuthorities } from './trusted-authorities.ts';
import { isRotated, type Turn, takeTurn } from './turn.ts';

export interface Completed {
  readonly store: SecretStore;
  /** True when the store must be saved before its values are used. */
  readonly changed: boolean;
  readonly values: SecretValues;
}

const DEFAULT_LENGTH = 32;

/** Whether a value follows from the instance's own authority. */
export const isOfAuthority = (source: SecretSource): boolean =>
  'leaf' in source ||
  source.kind === 'ca-certificate' ||
  source.kind === 'ca-key' ||
  (source.kind === 'authorities' && source.own);

/**
 * Values for every key that the objects ask for. What the store has is kept; what it lacks is made; a key that a Secret
 * has lost is forgotten; a certificate near its end, or for other names than are wanted now, is made anew.
 *
 * @param options `rotation` makes the leaves anew before they are due, `turn` takes a step in the rotation of others
 */
export async function completeSecrets(
  objects: readonly SynthesizedObject[],
  before: SecretStore,
  authority: CertificateAuthority,
  now: Date,
  { rotation, turn }: { readonly rotation?: Rotation | undefined; readonly turn?: Turn | undefined } = {},
): Promise<Completed> {
  const store = structuredClone(before);
  const wanted = objects.flatMap((object) =>
    Object.entries(object.secrets).map(([key, source]) => ({ object, key, source, address: addressOf(object, key) })),
  );
  if (wanted.some(({ source }) => isOfAuthority(source))) {
    await renewAuthority(store, authority, now, rotation);
  }
  forgetDroppedKeys(store, objects);
  // Several keys ask for one leaf.
  const leaves = new Map(wanted.flatMap(({ source }) => ('leaf' in source ? [[source.leaf, source]] : [])));
  for (const leaf of leaves.values()) await renewLeaf(store, leaf, authority, now, rotation);
  for (const { source, address } of wanted) {
    if (source.kind === 'password') store.passwords[address] ??= password(source.length ?? DEFAULT_LENGTH);
    if (source.kind === 'signing-key') store.passwords[address] ??= signingKey();
  }
  if (turn !== undefined) {
    const sources = new Map(wanted.map(({ address, source }) => [address, source]));
    takeTurn(store, turn, (address) => another(sources.get(address), address));
  }
  const values = new Map<string, Record<string, string>>();
  for (const { object, key, source, address } of wanted) {
    const own = values.get(object.id) ?? {};
    own[key] = resolve(source, object, key);
    const beside = isRotated(source) ? store.turns[address] : undefined;
    if (beside !== undefined) own[`${key}.${beside.phase}`] = beside.value;
    values.set(object.id, own);
  }
  return { store, changed: JSON.stringify(store) !== JSON.stringify(before), values };

  function resolve(
    source: SecretSource,
    object: SynthesizedObject,
    key: string,
    trail: readonly string[] = [],
  ): string {
    const address = addressOf(object, key);
    if (trail.includes(address)) {
      throw new DelosError('ERR_DEPLOY', `secrets refer to each other: ${[...trail, address].join(' → ')}`);
    }
    switch (source.kind) {
      case 'password':
      case 'signing-key':
        return store.passwords[address] ?? '';
      case 'ca-certificate':
        return bundleOf(store);
      case 'ca-key':
        return store.ca?.key ?? '';
      case 'certificate':
        return store.leaves[source.leaf]?.certificate ?? '';
      case 'certificate-key':
        return store.leaves[source.leaf]?.key ?? '';
      case 'authorities':
        return trustedAuthorities(source.files, source.own ? bundleOf(store) : '');
      // Kept nowhere: the file is the truth, and may be another one tomorrow.
      case 'file':
        return readSecretFile(source.path);
      case 'same-as':
      case 'signing-key-set': {
        const target = referred(wanted, source, object);
        const value = resolve(target.source, target.object, target.key, [...trail, address]);
        if (source.kind === 'same-as') return value;
        // What the other one has signed is good for as long as both are accepted.
        const other = isRotated(target.source) ? store.turns[addressOf(target.object, target.key)] : undefined;
        return keySetOf(value, ...(other === undefined ? [] : [other.value]));
      }
    }
  }
}

/** Another value for what is rotated. */
function another(source: SecretSource | undefined, address: string): string {
  if (source?.kind === 'password' && isRotated(source)) return password(source.length ?? DEFAULT_LENGTH);
  if (source?.kind === 'signing-key' && isRotated(source)) return signingKey();
  throw new DelosError('ERR_INTERNAL', `${address} is not rotated`);
}

/**
 * A key that its Secret no longer has is forgotten: a user's name that is given again gets another password. A Secret
 * that is not there at all keeps its values, since it may come back to data that was made with them.
 */
function forgetDroppedKeys(store: SecretStore, objects: readonly SynthesizedObject[]): void {
  for (const object of objects) {
    if (Object.keys(object.secrets).length === 0) continue;
    const prefix = addressOf(object, '');
    for (const address of Object.keys(store.passwords)) {
      if (!address.startsWith(prefix) || address.slice(prefix.length) in object.secrets) continue;
      for (const record of [store.passwords, store.turns, store.steps]) delete record[address];
    }
  }
}

interface Wanted {
  readonly object: SynthesizedObject;
  readonly key: string;
  readonly source: SecretSource;
}

/**
 * `SECRET/KEY`: in the namespace that is named. Where none is, in the referring object's own if it is there, else the only
 * one of that name.
 */
function referred(
  wanted: readonly Wanted[],
  { ref, namespace }: Extract<SecretSource, { kind: 'same-as' | 'signing-key-set' }>,
  from: SynthesizedObject,
): Wanted {
  const matches = wanted.filter(
    ({ object, key }) =>
      `${object.manifest.metadata.name}/${key}` === ref &&
      (namespace === undefined || object.manifest.metadata.namespace === namespace),
  );
  const near = matches.find(({ object }) => object.manifest.metadata.namespace === from.manifest.metadata.namespace);
  const found = near ?? (matches.length === 1 ? matches[0] : undefined);
  if (found === undefined) {
    throw new DelosError('ERR_DEPLOY', `${from.id} refers to the secret ${ref}: found ${matches.length} of that name`);
  }
  return found;
}

function addressOf(object: SynthesizedObject, key: string): string {
  const { namespace, name } = object.manifest.metadata;
  return `${namespace ?? ''}/${name}/${key}`;
}

/** URL-safe letters and digits, six bits each. */
function password(length: number): string {
  return randomBytes(length).toString('base64url').slice(0, length);
}

/** ECDSA P-256, PKCS #8 in PEM. */
function signingKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
