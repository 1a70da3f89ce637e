import { DelosError } from '@delos/core';
import type { Digest } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';
import type { Pieces } from '../read/pieces.ts';

/** Where the bytes of a blob come from. */
export interface BlobSource {
  readonly size: number;
  /** For messages: a file, mostly. */
  readonly from: string;
  /**
   * `length` bytes from the one at `start` on. What comes of a blob that has changed meanwhile is found by its digest.
   * @param pieces whether each piece is good until the next is asked for, or for ever (the default)
   */
  read(start: number, length: number, pieces?: Pieces): AsyncIterable<Buffer>;
}

/** What goes into a bundle. */
export interface Content {
  readonly items: readonly Item[];
  readonly blobs: ReadonlyMap<Digest, BlobSource>;
}

/** Parts put together; an item that is in several of them stands once. */
export function joined(contents: readonly Content[]): Content {
  const items = new Map<string, Item>();
  const blobs = new Map<Digest, BlobSource>();
  for (const content of contents) {
    for (const item of content.items) {
      const key = `${item.kind} ${item.name}`;
      const before = items.get(key);
      if (before !== undefined && before.descriptor.digest !== item.descriptor.digest) {
        throw contentError(
          `two different things are called ${key}`,
          'take one of them out of `bundle.add` in delos.yaml',
        );
      }
      items.set(key, before ?? item);
    }
    for (const [digest, source] of content.blobs) blobs.set(digest, blobs.get(digest) ?? source);
  }
  return { items: [...items.values()].toSorted(byName), blobs };
}

const byName = (a: Item, b: Item): number =>
  a.kind === b.kind ? (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) : a.kind < b.kind ? -1 : 1;

/** Something that shall go into a bundle is not pinned, not listed, not found, or not what it says. */
export function contentError(message: string, hint: string, data: Readonly<Record<string, unknown>> = {}): DelosError {
  return new DelosError('ERR_BUNDLE_CONTENT', message, { hint, data });
}
