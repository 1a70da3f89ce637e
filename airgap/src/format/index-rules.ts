import type { Digest } from './digest.ts';
import { DO_NOT_USE, type Fault } from './fault.ts';
import { type BundleIndex, INDEX_FILE, MOST_MANIFEST_BYTES, type SizedBlob } from './index-schema.ts';
import { byDigest } from './plan.ts';
import { packBytes } from './tar.ts';

/** A blob's size and where it is. */
export interface Placed {
  readonly size: number;
  readonly in: 'packs' | 'base';
}

/** Every blob that an index knows. */
export function blobsOf(index: BundleIndex): ReadonlyMap<Digest, Placed> {
  const placed = (list: readonly SizedBlob[], where: Placed['in']): readonly (readonly [Digest, Placed])[] =>
    list.map(({ digest, size }) => [digest, { size, in: where }]);
  return new Map([...placed(index.base, 'base'), ...placed(index.blobs, 'packs')]);
}

/**
 * What must hold between the parts of an index, beyond the form of each: packs hold exactly its blobs, once, each from its
 * first byte to its last, and have the length that follows; each item's blobs are known. Pure.
 */
export function indexFaults(index: BundleIndex): readonly Fault[] {
  return [...listFaults(index), ...packFaults(index), ...itemFaults(index), ...keyFaults(index)];
}

const fault = (message: string, more: Partial<Fault> = {}): Fault => ({
  kind: 'index-rules',
  message: `the index contradicts itself: ${message}`,
  todo: DO_NOT_USE,
  file: INDEX_FILE,
  ...more,
});

function listFaults(index: BundleIndex): readonly Fault[] {
  const faults: Fault[] = [];
  for (const [name, list] of [['blobs', index.blobs] as const, ['base', index.base] as const]) {
    const wrong = list.find((each, at) => at > 0 && byDigest(list[at - 1] ?? each, each) >= 0);
    if (wrong !== undefined)
      faults.push(fault(`${name} is not sorted, or names ${wrong.digest} twice`, { blob: wrong.digest }));
  }
  const own = new Set(index.blobs.map(({ digest }) => digest));
  const both = index.base.find(({ digest }) => own.has(digest));
  if (both !== undefined) faults.push(fault(`${both.digest} is in the packs and in base`, { blob: both.digest }));
  if ((index.since === undefined) !== (index.base.length === 0) && index.since === undefined) {
    faults.push(fault('it has a base, and does not say what it builds on'));
  }
  const names = index.items.map(({ kind, name }) => `${kind} ${name}`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) faults.push(fault(`two items are called ${twice}`));
  return faults;
}

function packFaults(index: BundleIndex): readonly Fault[] {
  const faults: Fault[] = [];
  const sizes = new Map(index.blobs.map(({ digest, size }) => [digest, size]));
  const done = new Map<Digest, number>();
  const seen = new Set<Digest>();
  let last: Digest | undefined;
  for (const pack of index.packs) {
    if (seen.has(pack.digest)) faults.push(fault(`${pack.digest} is listed twice as a pack`, { pack: pack.digest }));
    seen.add(pack.digest);
    const bytes = packBytes(pack.pieces.map(({ size }) => size));
    if (bytes !== pack.size) {
      const found = `its pieces make ${bytes} bytes`;
      faults.push(
        fault(`pack ${pack.digest} shall have ${pack.size} bytes, but ${found}`, {
          pack: pack.digest,
          expected: `${pack.size}`,
          found: `${bytes}`,
        }),
      );
    }
    for (const piece of pack.pieces) {
      const size = sizes.get(piece.blob);
      const more = { pack: pack.digest, blob: piece.blob };
      if (size === undefined) {
        faults.push(fault(`pack ${pack.digest} has ${piece.blob}, which blobs does not list`, more));
        continue;
      }
      const at = done.get(piece.blob);
      if (
        piece.from !== (at ?? 0) ||
        (at !== undefined && (last !== piece.blob || at === size)) ||
        piece.from + piece.size > size
      ) {
        faults.push(fault(`the pieces of ${piece.blob} do not follow one another`, more));
        continue;
      }
      if (piece.size === 0 && size > 0) faults.push(fault(`${piece.blob} has an empty piece`, more));
      done.set(piece.blob, piece.from + piece.size);
      last = piece.blob;
    }
  }
  const short = index.blobs.find(({ digest, size }) => done.get(digest) !== size);
  if (short !== undefined) faults.push(fault(`no pack has all of ${short.digest}`, { blob: short.digest }));
  return faults;
}

function itemFaults(index: BundleIndex): readonly Fault[] {
  const faults: Fault[] = [];
  const known = blobsOf(index);
  const used = new Set<Digest>();
  for (const { kind, name, descriptor, parts } of index.items) {
    const manifest = known.get(descriptor.digest);
    if (manifest?.size !== descriptor.size || descriptor.size > MOST_MANIFEST_BYTES) {
      faults.push(fault(`the manifest of ${kind} ${name} is not listed with its size`, { blob: descriptor.digest }));
    }
    used.add(descriptor.digest);
    for (const part of parts) {
      used.add(part);
      if (!known.has(part)) faults.push(fault(`${kind} ${name} needs ${part}, which is nowhere`, { blob: part }));
    }
  }
  const idle: SizedBlob | undefined = [...index.blobs, ...index.base].find(({ digest }) => !used.has(digest));
  if (idle !== undefined) faults.push(fault(`no item needs ${idle.digest}`, { blob: idle.digest }));
  return faults;
}

function keyFaults(index: BundleIndex): readonly Fault[] {
  const wrong = index.keys.find(({ version }, at) => at > 0 && version !== (index.keys[at - 1]?.version ?? 0) + 1);
  return wrong === undefined ? [] : [fault(`the lists of keys do not follow one another at ${wrong.version}`)];
}
