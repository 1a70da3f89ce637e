import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import { certificateAuthority } from '../secrets/certificates.ts';
import { bundleOf, renewAuthority, renewLeaf } from '../secrets/renewal.ts';
import { parseStore, type SecretStore } from '../secrets/secret-store.ts';
import type { AuxVmConfig } from './config.ts';

/** What nobody else may know of a machine, and its certificate. */
export interface AuxVmSecrets {
  /** Of the user who may write. */
  readonly password: string;
  /** Signs the registry's tokens. */
  readonly tokenKey: string;
  /** Signs where an upload stands. */
  readonly registrySecret: string;
  readonly certificate: string;
  readonly key: string;
  /** Authorities that clients must trust; empty where a certificate was given. */
  readonly authorities: string;
}

const LEAF = 'aux-vm';

/**
 * Uses the secrets that are kept, and makes those that are missing. A certificate is made anew in the last third of its time, and
 * for other names. A new secret is kept before it is used.
 * @param folder where they are kept, readable by their owner alone
 */
export async function auxVmSecrets(config: AuxVmConfig, folder: string, now: Date, keep = true): Promise<AuxVmSecrets> {
  const file = join(folder, 'secrets.json');
  const before = tryRead(file);
  const store: SecretStore = structuredClone(parseStore(before));
  store.passwords.admin ??= randomBytes(24).toString('base64url');
  store.passwords['registry-secret'] ??= randomBytes(36).toString('base64url');
  store.passwords['token-key'] ??= signingKey();
  if (config.tls === undefined) {
    const { dnsNames, ipAddresses } = namesOf(config);
    await renewAuthority(store, certificateAuthority, now);
    await renewLeaf(store, { kind: 'certificate', leaf: LEAF, dnsNames, ipAddresses }, certificateAuthority, now);
  }
  const after = JSON.stringify(store);
  if (keep && after !== before) writeIfChanged(file, after, 0o600);
  const shared = {
    password: store.passwords.admin,
    tokenKey: store.passwords['token-key'],
    registrySecret: store.passwords['registry-secret'],
  };
  if (config.tls === undefined) {
    const leaf = store.leaves[LEAF];
    return { ...shared, certificate: leaf?.certificate ?? '', key: leaf?.key ?? '', authorities: bundleOf(store) };
  }
  return { ...shared, certificate: given(config.tls.certificate), key: given(config.tls.key), authorities: '' };
}

/** Names that the machine is reached by. */
function namesOf({ domain, address, ssh }: AuxVmConfig) {
  const host = ssh?.host;
  const more = host === undefined || host === address ? [] : [host];
  return {
    dnsNames: [domain, `*.${domain}`, ...more.filter((one) => isIP(one) === 0 && one !== domain)],
    ipAddresses: [address, ...more.filter((one) => isIP(one) !== 0)],
  };
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function given(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DelosError('ERR_CONFIG_VALUE', `${path} cannot be read (${reason}); expected a file in PEM`, {
      where: { field: 'tls' },
      cause,
    });
  }
}

/** ECDSA P-256, PKCS #8 in PEM. */
function signingKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
