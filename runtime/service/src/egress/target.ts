import { isIP } from 'node:net';
import { CLUSTER_DOMAIN, isLoopback, isPublicAddress } from '@delos/core';

/** Where somebody wants to go. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` of a CONNECT request (RFC 9110, 9.3.6); undefined for anything else. */
export function tryTarget(authority: string): Target | undefined {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  const number = Number(port);
  if (host === undefined || number < 1 || number > 65_535) return undefined;
  return { host: host.toLowerCase(), port: number };
}

const INSIDE = ['svc', CLUSTER_DOMAIN];

/**
 * Why a job must not go there by the proxy, which may reach what a NetworkPolicy keeps from jobs; undefined where it may.
 * Names are the proxy's to judge: only it knows where they lead.
 */
export function refusedToJobs({ host }: Target): string | undefined {
  const name = host.replace(/\.$/, '');
  if (isIP(name) !== 0) return isPublicAddress(name) ? undefined : 'it is an address of the local network';
  // Resolvers take a number, and a shorter form, for an IPv4 address.
  if (/^(0x)?[\da-f]*(\.(0x)?[\da-f]*)*$/i.test(name) && /\d$/.test(name)) return 'it is no name of a host';
  if (isLoopback(name)) return 'it is the proxy itself';
  return !name.includes('.') || INSIDE.some((domain) => name.endsWith(`.${domain}`))
    ? 'it is a name of the cluster or of the local network'
    : undefined;
}
