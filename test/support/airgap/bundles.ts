import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CarriedList,
  type Content,
  createBundle,
  type Digest,
  digestOf,
  type Fault,
  FaultFound,
  joined,
  type KeyList,
  newKeyList,
  newKeyPair,
  openBundle,
  verifyPacks,
} from '@delos/airgap';
import { ofBytes } from '../../../airgap/src/content/artifact.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../../airgap/src/format/manifest.ts';
import { keyIdOf, tryPublicKey } from '../../../airgap/src/trust/keys.ts';

/** What time it is in these tests. */
export const NOW = new Date('2026-11-30T12:00:00.000Z');
export const days = (count: number, from = NOW): Date => new Date(from.getTime() + count * 86_400_000);

/** Somebody who signs. */
export interface Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly id: string;
  readonly pem: string;
  readonly publicPem: string;
}

export function signer(): Signer {
  const pair = newKeyPair();
  const publicKey = tryPublicKey(pair.publicKey);
  if (publicKey === undefined) throw new Error('no key');
  return {
    privateKey: createPrivateKey(pair.privateKey),
    publicKey,
    id: keyIdOf(publicKey),
    pem: pair.privateKey,
    publicPem: pair.publicKey,
  };
}

/** A list of keys from a year ago to in a year. */
export const listOf = (signers: readonly Signer[], more: Partial<Parameters<typeof newKeyList>[0]> = {}): KeyList =>
  newKeyList({
    add: signers.map(({ publicKey }) => publicKey),
    revoke: [],
    threshold: 1,
    from: days(-365),
    until: days(365),
    ...more,
  });

/** An image with these layers, as content of a bundle; several platforms where there are several. */
export function imageOf(name: string, ...platforms: readonly (readonly Buffer[])[]): Content {
  const blobs = new Map<Digest, ReturnType<typeof ofBytes>>();
  const put = (bytes: Buffer): { digest: Digest; size: number } => {
    const digest = digestOf(bytes);
    blobs.set(digest, ofBytes(bytes, name));
    return { digest, size: bytes.length };
  };
  const parts: Digest[] = [];
  const add = (of: Digest): void => void (parts.includes(of) || parts.push(of));
  const manifests = platforms.map((layers, nth) => {
    const config = put(Buffer.from(JSON.stringify({ name, nth, os: 'linux', architecture: 'amd64' })));
    const stored = layers.map(put);
    const manifest = put(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_MANIFEST,
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
          layers: stored.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
        }),
      ),
    );
    if (platforms.length > 1) add(manifest.digest);
    for (const { digest } of [config, ...stored]) add(digest);
    return manifest;
  });
  const index =
    platforms.length > 1
      ? put(
          Buffer.from(
            JSON.stringify({
              schemaVersion: 2,
              mediaType: OCI_INDEX,
              manifests: manifests.map((each) => ({ mediaType: OCI_MANIFEST, ...each })),
            }),
          ),
        )
      : undefined;
  const top = index ?? manifests[0];
  if (top === undefined) throw new Error('an image without a platform');
  const item = {
    kind: 'image' as const,
    name,
    descriptor: {
      mediaType: index === undefined ? OCI_MANIFEST : OCI_INDEX,
      ...top,
      annotations: { 'org.opencontainers.image.ref.name': name },
    },
    parts,
    ...(index === undefined ? {} : { manifests: manifests.map(({ digest }) => digest) }),
  };
  return { items: [item], blobs };
}

/** Bytes that follow from a word. */
export function bytesOf(word: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = digestOf(Buffer.from(word));
  for (let at = 0; at < length; at += 32) {
    state = digestOf(Buffer.from(state));
    Buffer.from(state.slice(7), 'hex').copy(bytes, at);
  }
  return bytes;
}

/** Some images that share a layer, one for two platforms, one with a layer larger than a pack. */
export const someContent = (): Content => {
  const shared = bytesOf('shared', 5_000);
  return joined([
    imageOf('registry.example.com/team/one:1', [shared, bytesOf('one', 700)]),
    imageOf('registry.example.com/team/two:1', [shared, bytesOf('two', 12_000)]),
    imageOf('registry.example.com/team/both:1', [bytesOf('amd', 900)], [bytesOf('arm', 901)]),
    imageOf('registry.example.com/team/large:1', [bytesOf('large', 50_000)]),
  ]);
};

export interface Made {
  readonly folder: string;
  readonly signers: readonly Signer[];
  readonly list: KeyList;
}

/** Folders that are taken away at the end of a test file. */
export class Folders {
  readonly #made: string[] = [];

  async make(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'delos-bundle-test-'));
    this.#made.push(folder);
    return folder;
  }

  async end(): Promise<void> {
    for (const folder of this.#made) await rm(folder, { recursive: true, force: true });
  }
}

export interface HowMade {
  readonly content?: Content;
  readonly signers?: readonly Signer[];
  readonly list?: KeyList;
  readonly lists?: readonly CarriedList[];
  readonly packBytes?: number;
  readonly createdAt?: Date;
  readonly since?: Parameters<typeof createBundle>[1]['since'];
}

/** A bundle of packs of at most 16 KiB, so that there are several. */
export async function bundleIn(folder: string, how: HowMade = {}): Promise<Made> {
  const signers = how.signers ?? [signer()];
  await mkdir(folder, { recursive: true });
  await createBundle(folder, {
    name: 'delos',
    release: '0.2.0',
    createdAt: (how.createdAt ?? NOW).toISOString(),
    made: 'of-local-builds',
    content: how.content ?? someContent(),
    packBytes: how.packBytes ?? 2 ** 14,
    keys: signers.map(({ privateKey }) => privateKey),
    lists: how.lists ?? [],
    ...(how.since === undefined ? {} : { since: how.since }),
  });
  return { folder, signers, list: how.list ?? listOf(signers) };
}

/** All that is wrong with a bundle; none: it may be believed, and is whole. */
export async function faultsOf(folder: string, pinned: KeyList, at = NOW): Promise<readonly Fault[]> {
  try {
    const bundle = await openBundle(folder, { pinned, at });
    return (await verifyPacks(bundle)).faults;
  } catch (error) {
    if (error instanceof FaultFound) return [error.fault];
    throw error;
  }
}
