import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MavenArtifact } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { ensureOsPackages } from '../toolchain/index.ts';
import { sha256File } from '../toolchain/store.ts';

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';

/**
 * Fetches an artefact through mvn, whose own settings say which repository is asked, into the cache.
 * @throws DelosError ERR_TOOL_CHECKSUM, ERR_TOOL_UNAVAILABLE
 */
export async function fetchArtifact(artifact: MavenArtifact, cache: string, progress: Progress): Promise<string> {
  const folder = join(cache, 'maven/artifacts', artifact.sha256);
  const kept = (await readdir(folder).catch(() => [])).find((name) => !name.startsWith('.'));
  // The checksum is looked at on every use: this file goes into an image as it is.
  if (kept !== undefined && (await sha256File(join(folder, kept))) === artifact.sha256) return join(folder, kept);
  await rm(folder, { recursive: true, force: true });
  await ensureOsPackages('maven', progress);
  const work = join(cache, 'maven/artifacts', `.new-${process.pid}-${artifact.sha256.slice(0, 12)}`);
  await mkdir(work, { recursive: true });
  try {
    progress.step(`fetching ${artifact.coordinates} through Maven`);
    const { code, stdout } = await run(
      'mvn',
      [
        '-B',
        '-q',
        `-Dmaven.repo.local=${join(cache, 'maven/repository')}`,
        COPY,
        `-Dartifact=${artifact.coordinates}`,
        `-DoutputDirectory=${work}`,
      ],
      { limitSeconds: 1800, cwd: work },
    );
    const file = (await readdir(work))[0];
    if (code !== 0 || file === undefined) {
      const why = stdout.split('\n').find((line) => line.startsWith('[ERROR]')) ?? 'no message';
      throw new DelosError(
        'ERR_TOOL_UNAVAILABLE',
        `Maven could not bring ${artifact.coordinates}: ${why.slice(0, 300)}`,
        {
          hint: 'check the repository in ~/.m2/settings.xml, then run this again',
        },
      );
    }
    const digest = await sha256File(join(work, file));
    if (digest !== artifact.sha256) {
      throw new DelosError('ERR_TOOL_CHECKSUM', `${file} has sha256 ${digest}, expected ${artifact.sha256} (pinned)`, {
        hint: 'something between here and the publisher changes files: ask your network team',
      });
    }
    await rename(work, folder);
    return join(folder, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
