// The certificate library's dependency container asks for it first.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from '@delos/host';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/*
 * Three authorities, so that a certificate for one purpose is worth nothing for another: `ca` (API server, kubelet and
 * their clients), `front-proxy-ca` (aggregated APIs), `etcd-ca`. All keys are ECDSA P-256.
 */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 86_400_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
/** A leaf is made anew by an `up` that finds less than this left. */
const RENEW_DAYS = 90;

export interface LeafRequest {
  /** File name without ending. */
  readonly name: string;
  readonly authority: 'ca' | 'front-proxy-ca' | 'etcd-ca';
  readonly commonName: string;
  readonly organization?: string;
  readonly usages: readonly ('server' | 'client')[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly key: CryptoKey;
}

type CryptoKey = webcrypto.CryptoKey;

async function exportKey(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function importKey(pem: string): Promise<CryptoKey> {
  const der = PemConverter.decodeFirst(pem);
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** Clocks of nodes differ: valid from an hour ago. */
function validity(days: number) {
  return { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + days * DAY) };
}

function serialNumber(): string {
  // Positive and never of leading zero, as RFC 5280 4.1.2.2 asks.
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function ensureAuthority(folder: string, name: string): Promise<Authority> {
  const certificatePath = join(folder, `${name}.crt`);
  const keyPath = join(folder, `${name}.key`);
  if (existsSync(certificatePath) && existsSync(keyPath)) {
    return {
      certificate: new X509Certificate(readFileSync(certificatePath, 'utf8')),
      key: await importKey(readFileSync(keyPath, 'utf8')),
    };
  }
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=delos-${name}`,
    ...validity(CA_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // The key first: a certificate without its key would be taken for a complete authority.
  writeAtomic(keyPath, await exportKey(keys.privateKey));
  writeAtomic(certificatePath, `${certificate.toString('pem')}\n`, 0o644);
  return { certificate, key: keys.privateKey };
}

/** Subject and names, to tell whether a certificate on disk still is what is asked for. */
function fingerprintOf(request: LeafRequest): string {
  return JSON.stringify([
    request.commonName,
    request.organization ?? '',
    [...request.usages].sort(),
    [...(request.dns ?? [])].sort(),
    [...(request.ips ?? [])].sort(),
  ]);
}

async function ensureLeaf(folder: string, request: LeafRequest, authority: Authority): Promise<boolean> {
  const path = (ending: string) => join(folder, `${request.name}.${ending}`);
  if (['crt', 'key', 'request'].every((ending) => existsSync(path(ending)))) {
    const certificate = new X509Certificate(readFileSync(path('crt'), 'utf8'));
    const fresh = certificate.notAfter.getTime() - Date.now() > RENEW_DAYS * DAY;
    const same = readFileSync(path('request'), 'utf8') === fingerprintOf(request);
    if (fresh && same && (await certificate.verify({ publicKey: authority.certificate }))) return false;
  }
  const keys = await newKeys();
  const organization = request.organization === undefined ? '' : `, O=${request.organization}`;
  const names = [
    ...(request.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${request.commonName}${organization}`,
    issuer: authority.certificate.subject,
    ...validity(LEAF_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(
        request.usages.map((usage) => (usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth)),
      ),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    ],
  });
  writeAtomic(path('key'), await exportKey(keys.privateKey));
  writeAtomic(path('crt'), `${certificate.toString('pem')}\n`, 0o644);
  writeAtomic(path('request'), fingerprintOf(request));
  return true;
}

/** The pair that signs and checks service account tokens. */
async function ensureServiceAccountKeys(folder: string): Promise<void> {
  if (existsSync(join(folder, 'service-account.pub')) && existsSync(join(folder, 'service-account.key'))) return;
  const keys = await newKeys();
  writeAtomic(join(folder, 'service-account.key'), await exportKey(keys.privateKey));
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  writeAtomic(join(folder, 'service-account.pub'), `${PemConverter.encode(spki, 'PUBLIC KEY')}\n`, 0o644);
}

/**
 * Makes what is missing or near its end in `folder`: authorities, leaves and the service account keys. What is there
 * and valid stays byte for byte. Returns the names of the leaves that are new.
 */
export async function ensurePki(folder: string, requests: readonly LeafRequest[]): Promise<readonly string[]> {
  const authorities = new Map<string, Authority>();
  for (const name of ['ca', 'front-proxy-ca', 'etcd-ca']) authorities.set(name, await ensureAuthority(folder, name));
  await ensureServiceAccountKeys(folder);
  const made: string[] = [];
  for (const request of requests) {
    const authority = authorities.get(request.authority);
    if (authority !== undefined && (await ensureLeaf(folder, request, authority))) made.push(request.name);
  }
  return made;
}
