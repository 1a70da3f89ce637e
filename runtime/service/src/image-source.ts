import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import {
  isKnownRegistry,
  isPublicAddress,
  liesIn,
  networks,
  parseRegistry,
  refusedRegistry,
  registryOf,
} from '@delos/core';

export interface ImageSourceProps {
  /** `HOST[:PORT]` of registries that may be asked wherever they are. */
  readonly allowed: readonly string[];
  /** Networks and addresses that must not be asked though they are public: the cluster's and its nodes'. @default none */
  readonly denied?: () => readonly string[];
  /** All addresses of a host name; none where it has none, or where nobody tells. @default asks DNS */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Judges where an image would be pulled from. */
export type ImageSource = (image: string) => Promise<string | undefined>;

/** Somebody waits for the answer. */
const DNS_MS = 1_000;

/**
 * Makes the judge of image names: it answers why an image must not be pulled, or undefined where it may be. A name that
 * cannot be resolved now is let through: nobody can say where it leads, and the agent judges it again.
 */
export function imageSource(props: ImageSourceProps): ImageSource {
  const resolve = props.resolve ?? addressesOf;
  return async (image) => {
    const registry = registryOf(image);
    const refused = refusedRegistry(registry, props.allowed) ?? (await refusedAddress(registry));
    if (refused === undefined) return undefined;
    return `images of registry ${registry} cannot be used here: ${refused}`;
  };

  async function refusedAddress(registry: string): Promise<string | undefined> {
    const host = parseRegistry(registry)?.host;
    if (host === undefined || isKnownRegistry(registry, props.allowed)) return undefined;
    const denied = networks(props.denied?.() ?? []);
    const addresses = isIP(host) === 0 ? await resolve(host) : [host];
    // One such address is enough: the node may choose it.
    const local = addresses.some((address) => !isPublicAddress(address) || liesIn(denied, address));
    return local ? 'it is in the local network or in the cluster' : undefined;
  }
}

/** Says what to do about a refusal. */
export const IMAGE_SOURCE_HINT =
  'use a public registry, or ask the administrator to add this one to images.allowedRegistries of delos.yaml';

async function addressesOf(host: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: DNS_MS, tries: 1 });
  // The limit above is for each of the DNS servers.
  const timer = setTimeout(() => resolver.cancel(), 2 * DNS_MS);
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  clearTimeout(timer);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** `HOST[:PORT]`, separated by commas, as an environment variable has them. */
export const registryList = (text: string): readonly string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
