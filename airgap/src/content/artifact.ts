import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { canonicalBytes } from '../format/canonical.ts';
import { type Digest, digestOf } from '../format/digest.ts';
import { type Item, type ItemKind, REF_NAME } from '../format/index-schema.ts';
import { OCI_MANIFEST } from '../format/manifest.ts';
import { piecesOf, READ_BYTES } from '../read/pieces.ts';
import type { BlobSource, Content } from './content.ts';

/*
 * A file in a bundle is an artifact of the OCI image specification 1.1: an empty configuration and one layer, which is the
 * file as it is. So whatever serves images serves files, and `oras pull` fetches them.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
 */

const EMPTY = Buffer.from('{}');
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const TITLE = 'org.opencontainers.image.title';

/** Types of files, by what they are. Helm's is https://helm.sh/docs/topics/registries/#manifest */
const TYPES: Readonly<Record<Exclude<ItemKind, 'image'>, string>> = {
  wheel: 'application/vnd.delos.wheel.v1',
  npm: 'application/vnd.delos.npm.v1',
  deb: 'application/vnd.delos.deb.v1',
  chart: 'application/vnd.delos.chart.v1',
  tool: 'application/vnd.delos.tool.v1',
  file: 'application/vnd.delos.file.v1',
  sbom: 'application/vnd.delos.sbom.v1',
};

export interface FileItem {
  readonly kind: Exclude<ItemKind, 'image'>;
  /** Path under which it is known in the bundle; its last part is the name that it is unpacked by. */
  readonly name: string;
  readonly path: string;
  readonly about?: Readonly<Record<string, string>> | undefined;
}

/** A file as content of a bundle. It is read once, for its digest. */
export async function fileContent({ kind, name, path, about }: FileItem): Promise<Content> {
  const layer: Digest = `sha256:${await hashFile(path)}`;
  const { size } = await stat(path);
  return artifact({ kind, name, about }, layer, ofFile(path, size));
}

/** Bytes as content of a bundle. */
export const bytesContent = (item: Omit<FileItem, 'path'>, bytes: Buffer): Content =>
  artifact(item, digestOf(bytes), ofBytes(bytes, item.name));

function artifact({ kind, name, about }: Omit<FileItem, 'path'>, layer: Digest, source: BlobSource): Content {
  const { size } = source;
  const type = TYPES[kind];
  const title = name.slice(name.lastIndexOf('/') + 1);
  const manifest = canonicalBytes({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: type,
    config: { mediaType: EMPTY_TYPE, digest: digestOf(EMPTY), size: EMPTY.length },
    layers: [{ mediaType: type, digest: layer, size, annotations: { [TITLE]: title } }],
  });
  const digest = digestOf(manifest);
  const item: Item = {
    kind,
    name,
    descriptor: {
      mediaType: OCI_MANIFEST,
      digest,
      size: manifest.length,
      artifactType: type,
      annotations: { [REF_NAME]: `${kind}/${name}` },
    },
    parts: [digestOf(EMPTY), layer],
    ...(about === undefined ? {} : { about: { ...about } }),
  };
  const blobs = new Map<Digest, BlobSource>([
    [digest, ofBytes(manifest, name)],
    [digestOf(EMPTY), ofBytes(EMPTY, name)],
    [layer, source],
  ]);
  return { items: [item], blobs };
}

/** sha256 of a file, hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), hash);
  return hash.digest('hex');
}

/** Bytes in memory as the source of a blob. */
export function ofBytes(bytes: Buffer, from: string): BlobSource {
  return {
    size: bytes.length,
    from,
    async *read(start, length) {
      yield bytes.subarray(start, start + length);
    },
  };
}

/** A file as the source of a blob. */
export function ofFile(path: string, size: number): BlobSource {
  return {
    size,
    from: path,
    async *read(start, length, pieces = 'kept') {
      if (length === 0) return;
      const handle = await open(path, 'r');
      try {
        yield* piecesOf(handle, start, length, pieces);
      } finally {
        await handle.close();
      }
    },
  };
}
