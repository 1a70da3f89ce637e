import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, type PlatformConfig } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { certificatesIn, dayOf } from './gateway-certificate.ts';

/** A certificate and a key as somebody gives them, and where each was found. */
export interface GivenPair {
  readonly certificate: { readonly at: string; readonly pem: string };
  readonly key: { readonly at: string; readonly pem: string };
}

const secretOf = z.object({ data: z.record(z.string(), z.base64()).default({}) });

/**
 * Refuses a certificate of `gateway.tls.given` that clients would not take, before anything is changed.
 * @param kube undefined where there is no cluster yet: a Secret is then not looked at
 * @throws DelosError ERR_PREFLIGHT with what is wrong and what was expected
 */
export async function checkGiven(config: PlatformConfig, kube?: Kube): Promise<void> {
  const given = config.gateway.tls?.given;
  if (given === undefined) return;
  if (given.secret === undefined) {
    judgeGiven({ certificate: read(given.certificate), key: read(given.key) }, hostOf(config), new Date());
    return;
  }
  if (kube === undefined) return;
  const at = `the Secret ${PLATFORM_NAMESPACE}/${given.secret}`;
  const args = ['get', 'secret', given.secret, '--namespace', PLATFORM_NAMESPACE, '--ignore-not-found', '-o', 'json'];
  const text = await kube.text(args);
  if (text.trim() === '') throw refuse(at, 'is not there', 'a Secret with tls.crt and tls.key');
  const { data } = secretOf.parse(JSON.parse(text));
  const part = (key: string) => ({ at: `${at}, ${key}`, pem: Buffer.from(data[key] ?? '', 'base64').toString() });
  judgeGiven({ certificate: part('tls.crt'), key: part('tls.key') }, hostOf(config), new Date());
}

/** Host of the public URL. */
const hostOf = ({ domain }: PlatformConfig): string => (domain === 'localhost' ? '127.0.0.1' : domain);

function read(path = ''): { readonly at: string; readonly pem: string } {
  try {
    return { at: path, pem: readFileSync(path, 'utf8') };
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw refuse(path, `cannot be read (${reason})`, 'a file in PEM');
  }
}

/** @throws DelosError ERR_PREFLIGHT for the first fault */
export function judgeGiven({ certificate, key }: GivenPair, domain: string, now: Date): void {
  const chain = chainIn(certificate);
  const [leaf] = chain;
  if (leaf === undefined) throw refuse(certificate.at, 'holds no certificate', 'certificates in PEM');
  if (!leaf.checkPrivateKey(keyIn(key))) {
    throw refuse(
      key.at,
      `is not the key of the first certificate in ${certificate.at}`,
      'the key of the gateway’s own',
    );
  }
  for (const [nth, one] of chain.entries()) {
    const signer = chain[nth + 1];
    if (signer === undefined || (one.checkIssued(signer) && one.verify(signer.publicKey))) continue;
    throw refuse(
      certificate.at,
      `certificate ${nth + 2} of ${chain.length} has not signed the one before it`,
      'the gateway’s own first, then each that signed the one before it',
    );
  }
  if (now < new Date(leaf.validFrom)) {
    throw refuse(certificate.at, `is not good before ${dayOf(leaf.validFrom)}`, 'one that is good now');
  }
  const ended = chain.find(({ validTo }) => new Date(validTo) < now);
  if (ended !== undefined) {
    throw refuse(certificate.at, `has ended on ${dayOf(ended.validTo)}`, 'one that is good now');
  }
  const covers = isIP(domain) === 0 ? leaf.checkHost(domain, { subject: 'never' }) : leaf.checkIP(domain);
  if (covers !== undefined) return;
  throw refuse(
    certificate.at,
    `is not for ${domain}, but for ${leaf.subjectAltName ?? 'no name'}`,
    `${domain}, and *.${domain}, *.jobs.${domain} and *.apps.${domain} for what lies below it`,
  );
}

function chainIn({ at, pem }: GivenPair['certificate']): readonly X509Certificate[] {
  try {
    return certificatesIn(pem);
  } catch {
    throw refuse(at, 'holds a certificate that cannot be read', 'certificates in PEM');
  }
}

function keyIn({ at, pem }: GivenPair['key']): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw refuse(at, 'is protected by a passphrase', 'a private key in PEM without one');
  try {
    return createPrivateKey(pem);
  } catch {
    throw refuse(at, 'holds no private key', 'a private key in PEM');
  }
}

const refuse = (at: string, what: string, expected: string): DelosError =>
  new DelosError('ERR_PREFLIGHT', `${at} ${what}; expected ${expected}`, {
    where: { field: 'gateway.tls.given' },
    hint: 'mend it, or leave `gateway.tls` out of delos.yaml: the platform then makes a certificate itself',
  });
