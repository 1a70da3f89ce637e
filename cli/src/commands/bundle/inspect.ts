import { resolve } from 'node:path';
import { type BundleIndex, ITEM_KINDS, imageNamed, readIndexUnsigned, tryComponents, tryDocument } from '@delos/airgap';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { faultTold } from './fault-told.ts';
import { opened, type TrustOptions } from './opened.ts';
import { mebibytes } from './words.ts';

/** Shows what a bundle's index lists. It reads no pack. Without --trust it checks no signature, and its first line says so. */
export async function run(
  context: CommandContext,
  given: string,
  options: TrustOptions & { readonly items: boolean; readonly sbom?: string; readonly spdx: boolean },
): Promise<void> {
  const folder = resolve(given);
  const judged = options.trust === undefined ? undefined : await opened(folder, options);
  const { index, digest } = judged ?? (await faultTold(folder, () => readIndexUnsigned(folder)));
  if (options.sbom !== undefined) return software(context, folder, index, options.sbom, options.spdx);
  const sizes = new Map([...index.base, ...index.blobs].map((blob) => [blob.digest, blob.size]));
  const rows = ITEM_KINDS.flatMap((kind) => {
    const items = index.items.filter((item) => item.kind === kind);
    const blobs = new Set(items.flatMap(({ descriptor, parts }) => [descriptor.digest, ...parts]));
    const bytes = [...blobs].reduce((sum, blob) => sum + (sizes.get(blob) ?? 0), 0);
    return items.length === 0 ? [] : [[kind, String(items.length), mebibytes(bytes)]];
  });
  const shown = options.items
    ? index.items.map(({ kind, name, descriptor }) => [kind, name, descriptor.digest])
    : undefined;
  const signature =
    judged === undefined
      ? 'not judged: no --trust was given, so do not act on what stands here'
      : `good, by ${judged.signers.map((id) => id.slice(0, 12)).join(' and ')}, list ${judged.keysVersion} of keys`;
  const head = [
    `signature  ${signature}`,
    `index      ${digest}`,
    `release    ${index.release}, ${index.made.replaceAll('-', ' ')}, ${index.createdAt}`,
    `packs      ${index.packs.length}, ${mebibytes(index.packs.reduce((sum, { size }) => sum + size, 0))}`,
    ...(index.since === undefined
      ? []
      : [`builds on  ${index.base.length} blobs of the ${index.since.kind} ${index.since.digest}`]),
  ];
  const lists = [
    table(['KIND', 'ITEMS', 'SIZE'], rows),
    ...(shown === undefined ? [] : [table(['KIND', 'NAME', 'MANIFEST'], shown)]),
  ];
  context.result(
    {
      folder,
      digest,
      judged: judged !== undefined,
      signers: judged?.signers ?? [],
      ...(options.items
        ? { index }
        : {
            release: index.release,
            createdAt: index.createdAt,
            made: index.made,
            items: index.items.length,
            packs: index.packs.length,
          }),
    },
    [head.join('\n'), ...lists].join('\n\n'),
  );
}

/** What an image consists of, as the bundle's own document says. */
async function software(
  context: CommandContext,
  folder: string,
  index: BundleIndex,
  name: string,
  asSpdx: boolean,
): Promise<void> {
  const image = imageNamed(index, name);
  const components = await tryComponents(folder, index, image);
  const document = await tryDocument(folder, index, image, asSpdx ? 'spdx' : 'cyclonedx');
  if (components === undefined || document === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `${folder} has no list of the software in ${image.name}`, {
      hint: 'a delta has those of changed images alone; --parts may have left them out',
    });
  }
  const rows = components.map(({ name: own, version, purl, licence }) => [
    own,
    version,
    purl.slice('pkg:'.length, purl.indexOf('/')),
    licence,
  ]);
  context.result(JSON.parse(document.toString('utf8')), table(['NAME', 'VERSION', 'KIND', 'LICENCE'], rows));
}
