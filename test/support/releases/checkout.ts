import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { instancePaths } from '@delos/core';
import { run, withFileLock } from '@delos/host';
import { ROOT } from '../house/rooms.ts';
import type { Release } from './releases.ts';

/** Where a checkout comes from, and where it is kept. */
export interface CheckoutPlace {
  /** The clone whose history has the release. @default this repository */
  readonly clone?: string;
  /** @default that of this user's Delos */
  readonly cache?: string;
}

/**
 * A release as it was: its files, of this repository's own history, and the dependencies that its own launcher installs.
 * It is made once and kept by its commit. It gets its name when it is whole, so that a run that is killed leaves nothing
 * that another would take for one.
 * @returns the folder
 * @throws Error where the clone does not have the commit, as a shallow one
 */
export async function releaseCheckout(release: Release, place: CheckoutPlace = {}): Promise<string> {
  const { clone = ROOT, cache = instancePaths('delos', process.env).cache } = place;
  const folder = join(cache, 'releases', release.commit);
  if (await isThere(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  await withFileLock(`${folder}.lock`, { purpose: `making release ${release.version}` }, async () => {
    if (await isThere(folder)) return;
    await requireCommit(clone, release);
    const draft = `${folder}.part`;
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft);
    await must(['sh', '-c', 'git archive "$0" | tar -x -C "$1"', release.commit, draft], clone);
    // The launcher installs the dependencies before the command says anything.
    await must([join(draft, 'delos'), '--version'], draft);
    await rename(draft, folder);
  });
  return folder;
}

/** @throws Error that says what to do where the clone's history lacks the release */
export async function requireCommit(clone: string, { version, commit }: Release): Promise<void> {
  const git = (...args: readonly string[]) => run('git', args, { cwd: clone });
  if ((await git('merge-base', '--is-ancestor', commit, 'HEAD')).code === 0) return;
  const shallow = (await git('rev-parse', '--is-shallow-repository')).stdout.trim() === 'true';
  throw new Error(
    shallow
      ? `release ${version} is commit ${commit}, and this clone has the last commits alone: run \`git fetch --unshallow\``
      : `release ${version} is commit ${commit}, which is not in the history of this branch: look at docs/releases.yaml`,
  );
}

async function must([command = '', ...args]: readonly string[], cwd: string): Promise<void> {
  const { code, stderr } = await run(command, args, { cwd });
  if (code !== 0) throw new Error(`${command} ${args.at(-1)}: exit code ${code}\n${stderr}`);
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
