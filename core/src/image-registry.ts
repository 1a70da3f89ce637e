import { isIPv4, isIPv6 } from 'node:net';
import { isPublicAddress } from './public-address.ts';

/*
 * The registry that an image name means, and whether a user may make a node ask it. A node that pulls an image dials
 * whatever host the name says: with any host allowed, users could reach services of the node and of the cluster.
 */

/** Registries that everybody knows. A site may answer these names by mirrors of its own, wherever those are. */
export const WELL_KNOWN_REGISTRIES = [
  'docker.io',
  'ghcr.io',
  'quay.io',
  'registry.k8s.io',
  'gcr.io',
  'nvcr.io',
] as const;

const DEFAULT_PORT = 443;
/** Names that public DNS never answers: of this machine, of the local network, of a cluster, of a company. */
const LOCAL_SUFFIXES = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'svc',
  'lan',
  'home',
  'corp',
  'intranet',
  'private',
  'home.arpa',
] as const;

/** The registry of an image name, with its port where one is named: `docker.io` where the name has none. */
export function registryOf(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  // As container runtimes tell a host from a part of the path (distribution/reference, splitDockerDomain).
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  return isHost ? first : 'docker.io';
}

export interface RegistryAddress {
  /** In lower case, without brackets and without a dot at its end. */
  readonly host: string;
  readonly port: number;
}

/** Undefined for what is no `HOST[:PORT]`. */
export function parseRegistry(registry: string): RegistryAddress | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(registry) ?? [];
  const host = (bracketed ?? plain)?.toLowerCase().replace(/\.+$/, '');
  if (host === undefined || host === '') return undefined;
  if (bracketed !== undefined && !isIPv6(host)) return undefined;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  return number < 1 || number > 65_535 ? undefined : { host, port: number };
}

/** Whether two names mean one port of one host. */
export function isSameRegistry(one: string, other: string): boolean {
  const [a, b] = [parseRegistry(one), parseRegistry(other)];
  return a !== undefined && b !== undefined && a.host === b.host && a.port === b.port;
}

/**
 * Why a registry must not be asked, judged by its name alone; undefined where it may be, as far as that tells: a host
 * name may still resolve to an address that must not be asked.
 * @param allowed `HOST[:PORT]` of registries that may be asked wherever they are
 */
export function refusedRegistry(registry: string, allowed: readonly string[]): string | undefined {
  const parsed = parseRegistry(registry);
  if (parsed === undefined) return 'it is no HOST[:PORT]';
  if (allowed.some((name) => isSameRegistry(name, registry))) return undefined;
  const { host } = parsed;
  if (isIPv4(host) || isIPv6(host)) return isPublicAddress(host) ? undefined : 'its address is not public';
  // `0x7f.1`, `2130706433` and `0177.0.0.1` are addresses to some resolvers.
  if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host)) return 'it is an address in a form that is not the usual one';
  if (!host.includes('.')) return 'a name without a dot is one of the local network';
  const local = LOCAL_SUFFIXES.find((suffix) => host === suffix || host.endsWith(`.${suffix}`));
  return local === undefined ? undefined : `names that end in .${local} are of the local network or of the cluster`;
}

/** Whether the name alone decides: what it resolves to does not matter. */
export function isKnownRegistry(registry: string, allowed: readonly string[]): boolean {
  return [...allowed, ...WELL_KNOWN_REGISTRIES].some((name) => isSameRegistry(name, registry));
}
