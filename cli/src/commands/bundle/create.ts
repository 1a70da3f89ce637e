import { dirname, resolve } from 'node:path';
import { DelosError, RELEASE } from '@delos/core';
import { goOffline } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { readSettings } from '../../instance/settings.ts';
import { devpiRequirements } from '../aux-vm/provide-programs.ts';
import { atTime } from './at-time.ts';
import { mebibytes, paced } from './words.ts';

export interface CreateOptions {
  readonly config?: string;
  readonly out?: string;
  readonly sign?: readonly string[];
  readonly keys?: readonly string[];
  readonly since?: string;
  readonly packSize?: number;
  readonly createdAt?: string;
  readonly parts?: readonly string[];
  readonly offlineCheck: boolean;
}

/** Smaller packs would be more files than a medium likes. */
const LEAST_PACK_SIZE = 2 ** 20;

/** Finds all that a platform needs, and writes it as one signed bundle. */
export async function run(context: CommandContext, options: CreateOptions): Promise<void> {
  const { progress, signal, paths, root } = context;
  const airgap = await import('@delos/airgap');
  const { EXECUTABLES } = await import('@delos/stacks');
  const unknown = options.parts?.find((part) => !airgap.PARTS.some((each) => each === part));
  if (unknown !== undefined) {
    throw new DelosError('ERR_USAGE', `a bundle has no part ${JSON.stringify(unknown)}`, {
      hint: `parts: ${airgap.PARTS.join(', ')}`,
    });
  }
  const packBytes = options.packSize ?? airgap.DEFAULT_PACK_BYTES;
  if (packBytes < LEAST_PACK_SIZE || packBytes > airgap.MOST_PACK_BYTES) {
    throw new DelosError('ERR_USAGE', `--pack-size: ${packBytes} bytes are not accepted`, {
      hint: `expected 1Mi to 8Gi (${airgap.MOST_PACK_BYTES} bytes); 4Gi at most where the medium is FAT32`,
    });
  }
  if (options.offlineCheck) goOffline();
  const target = options.offlineCheck ? undefined : targetOf(options);
  const keys = (target?.sign ?? []).map(airgap.readPrivateKey);
  const lists = (options.keys ?? []).map(airgap.readCarriedList);
  const since = options.since === undefined ? undefined : await airgap.readSince(resolve(options.since));
  const { config, file } = await readSettings(context, options.config);
  const gathered = await airgap.gather({
    config,
    folder: file === undefined ? process.cwd() : dirname(file),
    ...{ root, paths, progress, signal },
    fetch: !options.offlineCheck,
    ...(options.parts === undefined ? {} : { parts: airgap.PARTS.filter((part) => options.parts?.includes(part)) }),
    moreTools: EXECUTABLES,
    moreWheels: [devpiRequirements(root)],
  });
  try {
    const { content } = gathered;
    const { bytes, packs, blobs } = airgap.planBundle({
      content,
      packBytes,
      ...(since === undefined ? {} : { since }),
    });
    const counts = { items: content.items.length, blobs: blobs.length, packs: packs.length, bytes };
    const sizes = `${counts.items} items, ${counts.blobs} blobs, ${counts.packs} packs, ${mebibytes(bytes)}`;
    if (target === undefined) {
      return context.result(
        { ...counts, whole: true },
        `Everything that the platform names is pinned, listed and found: ${sizes}.`,
      );
    }
    const onBytes = paced(progress, bytes);
    const { index, digest } = await airgap.createBundle(
      target.folder,
      {
        name: 'delos',
        release: RELEASE,
        createdAt: atTime(options.createdAt, '--created-at').toISOString(),
        made: 'of-local-builds',
        ...{ content, packBytes, keys, lists },
        ...(since === undefined ? {} : { since }),
      },
      { signal, onProgress: (done, pack) => onBytes(done, `writing pack ${pack} of ${packs.length}`) },
    );
    progress.warn(
      'no registry was asked: the images of the platform are those that are built here, and the index says so',
    );
    context.result(
      { folder: target.folder, index: digest, createdAt: index.createdAt, made: index.made, ...counts },
      `${target.folder}: ${sizes}, index ${digest}\n\n  delos bundle verify ${target.folder} --trust KEYS`,
    );
  } finally {
    await gathered.end();
  }
}

function targetOf({ out, sign }: CreateOptions): { readonly folder: string; readonly sign: readonly string[] } {
  if (out === undefined || sign === undefined || sign.length === 0) {
    const missing = out === undefined ? '--out FOLDER' : '--sign KEY';
    throw new DelosError('ERR_USAGE', `${missing} is missing`, {
      hint: 'a bundle is always signed: `delos bundle new-key FILE` makes a key; --offline-check alone writes nothing',
    });
  }
  return { folder: resolve(out), sign };
}
