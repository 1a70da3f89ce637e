import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Release, ReleaseFile } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { askOutward } from './outward.ts';
import { writeDispatcher } from './probe.ts';

const PROBE_MS = 4000;
const SILENCE_MS = 60_000;
const reachable = new Map<string, Promise<boolean>>();

/**
 * Whether every file is pinned and answers; asked with a short limit, and once a process for each address. A file whose
 * digest is not known beforehand could be anything.
 */
export async function canFetch(release: Release): Promise<boolean> {
  if (release.files.some(({ sha256 }) => sha256 === undefined)) return false;
  const answers = await Promise.all(
    release.files.map(({ url }) => {
      const known = reachable.get(url);
      if (known !== undefined) return known;
      const asked = askOutward(url, { method: 'HEAD', limitMs: PROBE_MS }).then(
        (answer) => {
          answer.resume();
          return answer.statusCode === 200;
        },
        () => false,
      );
      reachable.set(url, asked);
      return asked;
    }),
  );
  return answers.every(Boolean);
}

/**
 * Fetches a release into a folder. Every file is compared with its pinned digest before anything of it is used.
 * @throws DelosError ERR_TOOL_CHECKSUM, ERR_TOOL_UNAVAILABLE
 */
export async function fetchRelease(name: string, release: Release, folder: string, progress: Progress): Promise<void> {
  const several = release.files.length > 1;
  if (several) await mkdir(join(folder, 'bin'), { recursive: true });
  for (const file of release.files) {
    const archive = join(folder, '.download');
    const digest = await download(file, archive, progress);
    verify(file, digest);
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

async function download(file: ReleaseFile, target: string, progress: Progress): Promise<string> {
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
  let bytes = 0;
  let told = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sha256.update(chunk);
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
  return sha256.digest('hex');
}

function verify(file: ReleaseFile, found: string): void {
  if (file.sha256 === found) return;
  throw new DelosError(
    'ERR_TOOL_CHECKSUM',
    `${file.url} has sha256 ${found}, expected ${file.sha256 ?? 'a pinned one'} (pinned)`,
    {
      hint: 'run this again; if it stays so, something between here and the publisher changes files: ask your network team',
    },
  );
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
