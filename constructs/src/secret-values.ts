import { DelosError, keySetOf } from '@delos/core';
import type { Manifest, SecretSource, Synthesis, SynthesizedObject } from './synthesis.ts';

/** One key of a Secret, and how its value is to be made. */
export interface WantedSecret {
  /** `NAMESPACE/SECRET/KEY`: the same at every run, so that a value can be kept by it. */
  readonly address: string;
  /** How it is made. What follows from another key (`same-as`, `signing-key-set`) is never asked for. */
  readonly source: Exclude<SecretSource, { readonly kind: 'same-as' | 'signing-key-set' }>;
}

/**
 * The manifests with their Secrets filled in, for those who deploy without Pulumi: `kubectl apply` takes them. Without this
 * a Secret has no value in its manifest. Give the same value for the same address at every run: data is made with it.
 * @param make makes a value, or reads the one that was made before
 * @example
 * const filled = withSecrets(synthOf(chart), ({ address, source }) => {
 *   if (source.kind !== 'password') throw new Error(`${address}: bring a certificate`);
 *   return process.env[address.toUpperCase().replace(/[^A-Z]/g, '_')] ?? '';
 * });
 * @throws DelosError ERR_INTERNAL for an empty value, for a certificate or key that is not PEM (RFC 7468) or no such key, and for a copy of what is not there once
 */
export function withSecrets(synthesis: Synthesis, make: (wanted: WantedSecret) => string): readonly Manifest[] {
  const made = new Map<string, string>();
  const value = (object: SynthesizedObject, key: string, trail: readonly string[]): string => {
    const address = addressOf(object, key);
    if (trail.includes(address)) {
      throw new DelosError('ERR_INTERNAL', `Secrets are copies of each other: ${[...trail, address].join(', ')}`);
    }
    const source = object.secrets[key];
    if (source === undefined) throw new DelosError('ERR_INTERNAL', `no Secret has the key ${address}`);
    if (source.kind === 'same-as' || source.kind === 'signing-key-set') {
      const from = copied(synthesis, object, source);
      const copy = value(from.object, from.key, [...trail, address]);
      return source.kind === 'same-as' ? copy : keySet(copy, source.ref);
    }
    const text = made.get(address) ?? make({ address, source });
    if (text === '') throw new DelosError('ERR_INTERNAL', `the value of ${address} is empty`);
    if (source.kind !== 'password' && source.kind !== 'file' && !PEM[source.kind].test(text)) {
      throw new DelosError('ERR_INTERNAL', `the value of ${address}: expected a ${source.kind} in PEM`);
    }
    made.set(address, text);
    return text;
  };
  return synthesis.objects.map((object) => {
    const keys = Object.keys(object.secrets);
    if (keys.length === 0) return object.manifest;
    if (object.manifest.kind === 'ConfigMap') {
      return { ...object.manifest, data: Object.fromEntries(keys.map((key) => [key, value(object, key, [])])) };
    }
    // Not `stringData`, which the API server does not keep: a second `kubectl apply` would find it missing.
    const data = Object.fromEntries(keys.map((key) => [key, Buffer.from(value(object, key, [])).toString('base64')]));
    return { ...object.manifest, data };
  });
}

/** @throws DelosError ERR_INTERNAL for what is no private key of P-256 */
function keySet(privateKey: string, ref: string): string {
  try {
    return keySetOf(privateKey);
  } catch (cause) {
    throw new DelosError('ERR_INTERNAL', `the value of ${ref}: expected a private key of P-256, PKCS #8 in PEM`, {
      cause,
    });
  }
}

const CERTIFICATE = /^-----BEGIN CERTIFICATE-----$/m;
const KEY = /^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----$/m;
const PEM = {
  certificate: CERTIFICATE,
  'ca-certificate': CERTIFICATE,
  authorities: CERTIFICATE,
  'certificate-key': KEY,
  'ca-key': KEY,
  'signing-key': KEY,
} as const;

const addressOf = ({ manifest }: SynthesizedObject, key: string): string =>
  `${manifest.metadata.namespace ?? ''}/${manifest.metadata.name}/${key}`;

/**
 * Finds the key that a copy takes its value from. The copy may name a namespace. Otherwise its own namespace is searched
 * first, and then the others, which must hold only one Secret of that name.
 */
function copied(
  { objects }: Synthesis,
  from: SynthesizedObject,
  { ref, namespace }: Extract<SecretSource, { readonly kind: 'same-as' | 'signing-key-set' }>,
): { readonly object: SynthesizedObject; readonly key: string } {
  const all = objects.flatMap((object) => Object.keys(object.secrets).map((key) => ({ object, key })));
  const matches = all.filter(({ object: { manifest }, key }) => {
    const inPlace = namespace === undefined || manifest.metadata.namespace === namespace;
    return inPlace && `${manifest.metadata.name}/${key}` === ref;
  });
  const home = from.manifest.metadata.namespace;
  const near = matches.find(({ object }) => object.manifest.metadata.namespace === home);
  const found = near ?? (matches.length === 1 ? matches[0] : undefined);
  if (found !== undefined) return found;
  throw new DelosError('ERR_INTERNAL', `${from.id} is a copy of ${ref}: found ${matches.length} of that name`);
}
