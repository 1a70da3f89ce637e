import { isLoopback, jobsDomain, namesBelow } from '@delos/core';

/** What a certificate is for (RFC 5280, subjectAltName). */
export interface LeafNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

const ADDRESS = /^(\d+\.){3}\d+$|:/;

/**
 * All names of the one certificate: the platform's own, one level below it, and those of jobs and apps, since a `*` stands
 * for one label (RFC 6125, 6.4.3); loopback and the name inside the cluster, for whoever reaches it so.
 * @param domain public host name or address
 * @param inside name of the gateway inside the cluster
 */
export function leafNames(domain: string, publicUrl: string, inside: string): LeafNames {
  const host = new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');
  const below = ADDRESS.test(domain) ? [] : namesBelow(domain);
  const jobs = isLoopback(domain) ? [`*.${jobsDomain(domain)}`] : [];
  const names = [...new Set([domain, host, ...below, ...jobs, 'localhost', inside])];
  return {
    dnsNames: names.filter((name) => !ADDRESS.test(name)),
    ipAddresses: [...new Set([...names.filter((name) => ADDRESS.test(name)), '127.0.0.1'])],
  };
}
