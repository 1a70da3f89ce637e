import { type Digest, hexOf } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';

/** A name of a manifest in a registry. */
export interface Place {
  readonly repository: string;
  readonly tag: string;
}

/** Repositories of what is no image. Tags keep a registry's collection from taking the manifest. */
const FILES = 'delos-bundle';
/** As nodes look for what stands in for another image. */
const STAND_IN = 'stand-in';

/**
 * Where an item lies in the site's registry, all its names. An image lies at its own host and path, as containerd asks a mirror for it; what
 * has no tag has its digest as one.
 */
export function placesOf(item: Item): readonly [Place, ...Place[]] {
  const { kind, name, answers = [], about = {}, descriptor } = item;
  if (kind !== 'image') return [{ repository: `${FILES}/${kind}`, tag: tagOf(descriptor.digest) }];
  const prefix = 'stand-in' in about ? `${STAND_IN}/` : '';
  return [place(name, descriptor.digest, ''), ...answers.map((each) => place(each, descriptor.digest, prefix))];
}

function place(reference: string, digest: Digest, prefix: string): Place {
  const [named = reference] = reference.split('@', 1);
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const path = tagged ? named.slice(0, colon) : named;
  return { repository: `${prefix}${repositoryName(path)}`, tag: tagged ? named.slice(colon + 1) : tagOf(digest) };
}

/** A port is no part of a repository's name: the colon has no room in it. */
const repositoryName = (path: string): string => path.toLowerCase().replace(':', '-');

const tagOf = (digest: Digest): string => `sha256-${hexOf(digest)}`;
