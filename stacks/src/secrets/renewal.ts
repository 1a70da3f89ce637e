import type { SecretSource } from '@delos/constructs';
import { DelosError, overlapEnd } from '@delos/core';
import type { CertificateAuthority, Pair } from './authority.ts';
import type { SecretStore } from './secret-store.ts';

/** What is made anew before it is due. */
export interface Rotation {
  /** The authority too. Where one is being replaced already, that goes on, and no third one is made. */
  readonly authority: boolean;
}

/**
 * Brings the authority up to date. One that is due, or that shall be rotated, is followed by another. Through the overlap
 * the former one still signs: who trusts it alone goes on, and has so long to take the bundle, which has both.
 */
export async function renewAuthority(
  store: SecretStore,
  authority: CertificateAuthority,
  now: Date,
  rotation?: Rotation,
): Promise<void> {
  const { ca, formerCa } = store;
  if (ca === null) {
    store.ca = { ...(await authority.createCa(now)), names: [] };
    return;
  }
  if (formerCa !== null) {
    if (now < overlapEnd(ca.certificate) && authority.isValid(formerCa.certificate, now)) return;
    store.formerCa = null;
  }
  if (rotation?.authority !== true && !authority.isDue(ca.certificate, now)) return;
  store.ca = { ...(await authority.createCa(now)), names: [] };
  // One that nobody can believe any more has no overlap.
  if (authority.isValid(ca.certificate, now)) store.formerCa = ca;
}

/**
 * Brings a leaf up to date: it is made anew where its names are others, where less than a third of its life is left, where
 * its signer has gone, and where that is asked for.
 */
export async function renewLeaf(
  store: SecretStore,
  source: Extract<SecretSource, { readonly leaf: string }>,
  authority: CertificateAuthority,
  now: Date,
  rotation?: Rotation,
): Promise<void> {
  const signer = signerOf(store);
  const names = [...source.dnsNames, ...source.ipAddresses].sort();
  const present = store.leaves[source.leaf];
  if (
    present !== undefined &&
    rotation === undefined &&
    JSON.stringify(present.names) === JSON.stringify(names) &&
    authority.isSignedBy(present.certificate, signer.certificate) &&
    !authority.isDue(present.certificate, now)
  ) {
    return;
  }
  store.leaves[source.leaf] = { ...(await authority.createLeaf(signer, source, now)), names };
}

/** What signs now. */
function signerOf({ ca, formerCa }: SecretStore): Pair {
  const signer = formerCa ?? ca;
  if (signer === null) throw new DelosError('ERR_INTERNAL', 'a leaf certificate was asked for before its CA');
  return signer;
}

/** All authorities that are to be trusted, the lasting one first. */
export const bundleOf = ({ ca, formerCa }: SecretStore): string =>
  `${ca?.certificate ?? ''}${formerCa?.certificate ?? ''}`;
