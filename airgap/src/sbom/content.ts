import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstancePaths, Progress } from '@delos/core';
import { z } from 'zod';
import { bytesContent } from '../content/artifact.ts';
import { type Content, contentError, joined } from '../content/content.ts';
import { type Digest, hexOf } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';
import { parseManifest, type Reference } from '../format/manifest.ts';
import { cycloneDx, type ImageSoftware, spdx } from './documents.ts';
import { type LayerFindings, layerFindings, merged, readLayer } from './layer.ts';
import { type SoftwarePackage, sorted } from './package.ts';

export interface SbomOptions {
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** The documents of an image, by the reference of its item. */
export const sbomName = (reference: string, form: 'cyclonedx' | 'spdx'): string => `${reference}/${form}.json`;

/** A changed reader says other things of the same layer. */
const READER = 'sbom-2';
const EPOCH = '1970-01-01T00:00:00Z';
const configSchema = z.object({
  created: z.iso.datetime({ offset: true }).optional(),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/**
 * A CycloneDX and an SPDX document for each image: packages of Debian, Python, npm and Maven, and the modules of Go programs. What a layer
 * says is kept by its digest, so that each is read once on this machine.
 * @throws DelosError ERR_BUNDLE_CONTENT for a layer that is no archive
 */
export async function sbomContent(images: Content, options: SbomOptions): Promise<Content> {
  const contents: Content[] = [];
  for (const item of images.items.filter(({ kind }) => kind === 'image')) {
    options.progress.step(`packages of ${item.name}`);
    const software = await softwareOf(item, images, options);
    for (const [form, bytes] of [
      ['cyclonedx', cycloneDx(software)],
      ['spdx', spdx(software)],
    ] as const) {
      contents.push(bytesContent({ kind: 'sbom', name: sbomName(item.name, form), about: { of: item.name } }, bytes));
    }
  }
  return joined(contents);
}

async function softwareOf(item: Item, images: Content, options: SbomOptions): Promise<ImageSoftware> {
  const packages: SoftwarePackage[] = [];
  let first: z.infer<typeof configSchema> | undefined;
  for (const digest of [item.descriptor.digest, ...(item.manifests ?? [])]) {
    const manifest = parseManifest(await wholeBlob(images, digest));
    if (manifest?.kind !== 'image') continue;
    const [config, ...layers] = manifest.blobs;
    if (config === undefined) continue;
    first ??= configSchema.safeParse(tryJson(await wholeBlob(images, config.digest))).data ?? {};
    const findings: LayerFindings[] = [];
    for (const layer of layers) findings.push(await findingsOf(layer, item, images, options));
    packages.push(...merged(findings));
  }
  return {
    reference: item.name,
    digest: item.descriptor.digest,
    licence: first?.config?.Labels?.['org.opencontainers.image.licenses'] ?? item.about?.licence,
    createdAt: first?.created === undefined ? EPOCH : new Date(first.created).toISOString(),
    packages: sorted(packages),
  };
}

async function findingsOf(
  { digest, mediaType }: Reference,
  item: Item,
  images: Content,
  { paths, signal }: SbomOptions,
): Promise<LayerFindings> {
  const file = join(paths.cache, 'bundle', READER, `${hexOf(digest as Digest)}.json`);
  const kept = layerFindings.safeParse(tryJson(await readFile(file).catch(() => Buffer.alloc(0))));
  if (kept.success) return kept.data;
  signal.throwIfAborted();
  const source = images.blobs.get(digest as Digest);
  if (source === undefined)
    throw contentError(`layer ${digest} of ${item.name} has no source`, 'build the image again');
  const found = await readLayer(source.read(0, source.size), mediaType).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw contentError(`layer ${digest} of ${item.name} cannot be read: ${reason}`, 'build or pull the image again');
  });
  await mkdir(join(paths.cache, 'bundle', READER), { recursive: true });
  await writeFile(`${file}.${process.pid}`, JSON.stringify(found));
  await rename(`${file}.${process.pid}`, file);
  return found;
}

async function wholeBlob({ blobs }: Content, digest: Digest): Promise<Buffer> {
  const source = blobs.get(digest);
  if (source === undefined) throw contentError(`blob ${digest} has no source`, 'this is a defect: please report it');
  const pieces: Buffer[] = [];
  for await (const piece of source.read(0, source.size)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function tryJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
