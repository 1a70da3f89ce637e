import { X509Certificate } from 'node:crypto';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { ACME_SECRET, overlapEnd, type PlatformConfig } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const tlsSecret = z.object({ data: z.object({ 'tls.crt': z.base64(), 'ca.crt': z.base64().optional() }) });
const anySecret = z.object({ data: z.record(z.string(), z.string()).default({}) });

/** What the gateway shows, as its Secret has it. */
export interface GatewayCertificate {
  readonly leaf: X509Certificate;
  /** Authorities to trust: the one that lasts first, then the one that still signs while it is being replaced. */
  readonly authorities: readonly X509Certificate[];
  /** Somebody else has made it. */
  readonly given: boolean;
}

/** Name of the Secret with certificate, key and, where clients need it, authority. */
export const gatewaySecret = ({ gateway }: PlatformConfig): string => gateway.tls?.given?.secret ?? 'gateway-tls';

/** Undefined where the platform is not deployed. */
export async function tryGatewayCertificate(
  kube: Kube,
  config: PlatformConfig,
): Promise<GatewayCertificate | undefined> {
  const where = ['--namespace', PLATFORM_NAMESPACE, '--ignore-not-found', '-o', 'json'];
  const read = (secret: string): Promise<string> => kube.text(['get', 'secret', secret, ...where]);
  const byAcme = config.gateway.tls?.acme === undefined ? '' : await read(ACME_SECRET);
  const has = byAcme.trim() !== '' && anySecret.parse(JSON.parse(byAcme)).data['tls.crt'] !== undefined;
  // Until there is one by ACME, gateways serve one of the platform's own authority.
  const text = has ? byAcme : await read(gatewaySecret(config));
  if (text.trim() === '') return undefined;
  const { data } = tlsSecret.parse(JSON.parse(text));
  const [leaf] = certificatesIn(Buffer.from(data['tls.crt'], 'base64').toString());
  if (leaf === undefined) return undefined;
  const authorities = certificatesIn(Buffer.from(data['ca.crt'] ?? '', 'base64').toString());
  return { leaf, authorities, given: has || config.gateway.tls?.given !== undefined };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Certificates of a text in PEM, in its order. */
export const certificatesIn = (text: string): readonly X509Certificate[] =>
  (text.match(PEM) ?? []).map((one) => new X509Certificate(one));

export interface Complaint {
  readonly message: string;
  /** What to do about it. */
  readonly todo: string;
}

const DAY_MS = 86_400_000;
const GIVE_ANOTHER =
  'put another where `gateway.tls.given` of delos.yaml says, then `delos up`; of one by ACME, `delos logs acme` says why there is no other';
/** `up` makes one anew long before: with so little left, none has run for weeks. */
const SHORT_DAYS = 30;

/** What is wrong with the times of certificates, the worst first. */
export function complaintsOf({ leaf, authorities, given }: GatewayCertificate, now: Date): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const ends = (what: string, { validTo }: X509Certificate): void => {
    const left = (Date.parse(validTo) - now.getTime()) / DAY_MS;
    if (left > SHORT_DAYS) return;
    const when = left < 0 ? 'has ended on' : `ends in ${Math.floor(left)} days, on`;
    complaints.push({
      message: `${what} ${when} ${dayOf(validTo)}`,
      todo: given ? GIVE_ANOTHER : '`delos up` makes another',
    });
  };
  ends('the certificate of the gateway', leaf);
  const [lasting, former] = authorities;
  if (given) return complaints;
  if (former === undefined) {
    if (lasting !== undefined) ends('the certificate authority', lasting);
    return complaints;
  }
  const end = overlapEnd(String(lasting));
  if (now > end) {
    complaints.push({
      message: `the former certificate authority signs until ${dayOf(end)}, and still does`,
      todo: '`delos up` lets the new one sign; whoever has not taken the bundle of `delos trust` by then trusts the gateway no more',
    });
  }
  return complaints;
}

export const dayOf = (time: string | Date): string => new Date(time).toISOString().slice(0, 10);

/** As documents show a certificate. */
export const shownCertificate = ({ subject, fingerprint256, validTo }: X509Certificate) => ({
  subject: subject.replaceAll('\n', ', '),
  fingerprint: fingerprint256,
  notAfter: new Date(validTo).toISOString(),
});
