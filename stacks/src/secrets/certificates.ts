import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { SKEW_MS } from '@delos/core';
import type { CertificateAuthority } from './authority.ts';

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** What browsers accept from March 2026 on (CA/Browser Forum, ballot SC-081v3). */
const LEAF_DAYS = 200;
/** Renewed once less than a third of its life is left. */
const RENEW_SHARE = 1 / 3;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** An instance's own certificate authority (RFC 5280 profile, ECDSA P-256). */
export const certificateAuthority: CertificateAuthority = {
  isDue(certificate, now) {
    const parsed = new X509Certificate(certificate);
    const from = Date.parse(parsed.validFrom);
    const to = Date.parse(parsed.validTo);
    return now.getTime() > to - (to - from) * RENEW_SHARE || now.getTime() < from - SKEW_MS;
  },

  isValid(certificate, now) {
    const { validFrom, validTo } = new X509Certificate(certificate);
    return Date.parse(validFrom) <= now.getTime() && now.getTime() < Date.parse(validTo);
  },

  isSignedBy(certificate, authority) {
    const issuer = new X509Certificate(authority);
    const leaf = new X509Certificate(certificate);
    return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  },

  async createCa(now) {
    const x509 = await library();
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      // Told apart from other instances' in a person's trust store.
      name: `CN=Delos CA ${randomBytes(4).toString('hex')}`,
      ...validity(now, CA_DAYS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return { certificate: pem(certificate.toString('pem')), key: await exportKey(keys.privateKey) };
  },

  async createLeaf(ca, names, now) {
    const x509 = await library();
    const issuer = new x509.X509Certificate(ca.certificate);
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${names.dnsNames[0] ?? names.ipAddresses[0] ?? 'delos'}`.slice(0, 67),
      issuer: issuer.subject,
      ...validity(now, LEAF_DAYS, issuer.notAfter),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: await importKey(ca.key),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
          ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return { certificate: pem(certificate.toString('pem')), key: await exportKey(keys.privateKey) };
  },
};

async function library(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(globalThis.crypto);
  return x509;
}

/** 127 random bits: positive, as RFC 5280 asks. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function validity(now: Date, days: number, atMost?: Date): { notBefore: Date; notAfter: Date } {
  const end = now.getTime() + days * DAY_MS;
  return {
    notBefore: new Date(now.getTime() - SKEW_MS),
    notAfter: new Date(atMost === undefined ? end : Math.min(end, atMost.getTime())),
  };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END PRIVATE KEY-----\n`;
}

function importKey(text: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

const pem = (text: string): string => `${text.trim()}\n`;
