import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Release, ReleaseFile } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { askOutward, textOf } from './outward.ts';
import { writeDispatcher } from './probe.ts';

const PROBE_MS = 4000;
const SILENCE_MS = 60_000;
const reachable = new Map<string, Promise<boolean>>();

/** Whether every file's checksum can be read; asked with a short limit, and once a process for each address. */
export async function canFetch(release: Release): Promise<boolean> {
  const answers = await Promise.all(
    release.files.map(({ checksums }) => {
      const known = reachable.get(checksums);
      if (known !== undefined) return known;
      const asked = askOutward(checksums, { method: 'HEAD', limitMs: PROBE_MS }).then(
        (answer) => {
          answer.resume();
          return answer.statusCode === 200;
        },
        () => false,
      );
      reachable.set(checksums, asked);
      return asked;
    }),
  );
  return answers.every(Boolean);
}

/**
 * Fetches a release into a folder. Every file is compared with its pinned checksum, or with the one its publisher
 * keeps beside it, before anything of it is used.
 * @throws DelosError ERR_TOOL_CHECKSUM, ERR_TOOL_UNAVAILABLE
 */
export async function fetchRelease(name: string, release: Release, folder: string, progress: Progress): Promise<void> {
  const several = release.files.length > 1;
  if (several) await mkdir(join(folder, 'bin'), { recursive: true });
  for (const file of release.files) {
    const archive = join(folder, '.download');
    const digest = await download(file, archive, progress);
    await verify(file, digest);
    const target = several ? join(folder, 'bin', file.command ?? basename(file.url)) : join(folder, name);
    if (file.tree !== undefined) {
      await unpack(archive, folder, [file.tree]);
    } else if (file.member !== undefined) {
      await mkdir(join(folder, '.unpacked'));
      await unpack(archive, join(folder, '.unpacked'), [file.member]);
      await rename(join(folder, '.unpacked', file.member), target);
      await rm(join(folder, '.unpacked'), { recursive: true });
    } else {
      await rename(archive, target);
    }
    if (file.tree === undefined) await chmod(target, 0o755);
    await rm(archive, { force: true });
  }
  if (several) await writeDispatcher(folder, name);
}

interface Digests {
  readonly sha256: string;
  readonly sha512: string;
}

async function download(file: ReleaseFile, target: string, progress: Progress): Promise<Digests> {
  const what = basename(file.url);
  const failed = (reason: string, cause?: unknown): DelosError =>
    new DelosError('ERR_TOOL_UNAVAILABLE', `${file.url} did not come: ${reason}`, {
      hint: 'run this again; what is built from source needs package mirrors only',
      ...(cause === undefined ? {} : { cause }),
    });
  const answer = await askOutward(file.url, { limitMs: SILENCE_MS }).catch((error: unknown) => {
    throw failed(error instanceof Error ? error.message : 'no answer', error);
  });
  if (answer.statusCode !== 200) throw failed(`HTTP ${answer.statusCode ?? '?'}`);
  const length = Number(answer.headers['content-length'] ?? '0');
  const sha256 = createHash('sha256');
  const sha512 = createHash('sha512');
  let bytes = 0;
  let told = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sha256.update(chunk);
      sha512.update(chunk);
      bytes += chunk.length;
      if (performance.now() - told > 1000) {
        told = performance.now();
        progress.step(`fetching ${what}: ${mib(bytes)}${length > 0 ? ` of ${mib(length)}` : ''} MiB`);
      }
      done(null, chunk);
    },
  });
  await pipeline(answer, meter, createWriteStream(target)).catch((error: unknown) => {
    throw failed(error instanceof Error ? error.message : 'the connection broke', error);
  });
  return { sha256: sha256.digest('hex'), sha512: sha512.digest('hex') };
}

async function verify(file: ReleaseFile, found: Digests): Promise<void> {
  const wanted = file.sha256 ?? (await publishedDigest(file));
  if (wanted !== found.sha256 && wanted !== found.sha512) {
    throw new DelosError(
      'ERR_TOOL_CHECKSUM',
      `${file.url} has sha256 ${found.sha256}, expected ${wanted} ${file.sha256 === undefined ? `(${file.checksums})` : '(pinned)'}`,
      {
        hint: 'run this again; if it stays so, something between here and the publisher changes files: ask your network team',
      },
    );
  }
}

async function publishedDigest(file: ReleaseFile): Promise<string> {
  const text = await askOutward(file.checksums, { limitMs: SILENCE_MS }).then(
    (answer) => (answer.statusCode === 200 ? textOf(answer) : ''),
    () => '',
  );
  const digest = tryFindDigest(text, basename(file.url));
  if (digest === undefined) {
    throw new DelosError('ERR_TOOL_CHECKSUM', `${file.checksums} holds no checksum for ${basename(file.url)}`, {
      hint: 'run this again; without a checksum the file is not used',
    });
  }
  return digest;
}

/** The digest of a file in a checksum list (`DIGEST  [*]NAME` lines), or the digest that is all the text. */
export function tryFindDigest(text: string, file: string): string | undefined {
  const hex = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/i;
  for (const line of text.split('\n')) {
    const [digest, name, ...rest] = line.trim().split(/\s+/);
    if (digest !== undefined && rest.length === 0 && hex.test(digest) && name?.replace(/^\*|^.*\//, '') === file) {
      return digest.toLowerCase();
    }
  }
  const alone = text.trim();
  return hex.test(alone) ? alone.toLowerCase() : undefined;
}

async function unpack(archive: string, folder: string, members: readonly string[]): Promise<void> {
  // GNU tar and busybox tar both refuse absolute paths and `..` below -C.
  const { code, stderr } = await run('tar', ['-xzf', archive, '-C', folder, ...members]);
  if (code !== 0) {
    throw new DelosError(
      'ERR_TOOL_UNAVAILABLE',
      `${members.join(', ')} could not be unpacked: ${stderr.slice(0, 200)}`,
    );
  }
}

function mib(bytes: number): string {
  return Math.round(bytes / 2 ** 20).toString();
}
