import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { utf8Text } from './files.ts';

const TIME_MS = 120_000;
const COMMIT = /^[0-9a-f]{40}$/;
/** Neither may be taken for an option, nor lead elsewhere. */
const SPEC = /^([A-Za-z0-9_][\w.-]*)\/([A-Za-z0-9_][\w.-]*)@([A-Za-z0-9_][\w./-]*)$/;

export interface ActionSource {
  /** Where repositories are: `OWNER/REPO` is added to it. */
  readonly mirror: string;
  /** What was fetched stays here, by its commit. */
  readonly cache: string;
}

/**
 * The file of an action that lies in a repository, at the commit that its tag or branch stands for now. A commit that was
 * fetched before is not fetched again.
 * @param spec `OWNER/REPO@TAG`, or a whole commit
 * @throws DelosError ERR_NOT_FOUND, ERR_USAGE
 */
export function fetchAction(
  spec: string,
  { mirror, cache }: ActionSource,
): { readonly file: string; readonly text: string } {
  const [, owner, repository, version] = SPEC.exec(spec) ?? [];
  if (owner === undefined || repository === undefined || version === undefined || version.includes('..')) {
    throw new DelosError('ERR_USAGE', `gh:${spec} is not of the form OWNER/REPO@TAG`);
  }
  const url = `${mirror.replace(/\/+$/, '')}/${owner}/${repository}`;
  const commit = COMMIT.test(version) ? version : commitOf(url, version);
  const folder = join(cache, owner, repository, commit);
  if (!existsSync(folder)) fetchCommit(url, { version, commit, folder });
  for (const name of ['action.yml', 'action.yaml']) {
    const file = join(folder, name);
    if (existsSync(file) && statSync(file).isFile()) return { file, text: utf8Text(file) };
  }
  throw new DelosError('ERR_NOT_FOUND', `${owner}/${repository} has no action.yml at ${version} (${commit})`);
}

/** A tag stands for what it names, not for itself. */
function commitOf(url: string, version: string): string {
  const listed = git([
    'ls-remote',
    '--',
    url,
    `refs/tags/${version}`,
    `refs/tags/${version}^{}`,
    `refs/heads/${version}`,
  ]);
  const refs = new Map(
    listed
      .split('\n')
      .map((line) => line.split('\t'))
      .map(([commit = '', ref = '']) => [ref, commit] as const),
  );
  const found = [`refs/tags/${version}^{}`, `refs/tags/${version}`, `refs/heads/${version}`].flatMap(
    (ref) => refs.get(ref) ?? [],
  )[0];
  if (found !== undefined && COMMIT.test(found)) return found;
  throw new DelosError('ERR_NOT_FOUND', `${url} has no tag or branch ${version}`);
}

/** The folder is there whole, or not at all. */
function fetchCommit(
  url: string,
  { version, commit, folder }: { readonly version: string; readonly commit: string; readonly folder: string },
): void {
  const above = join(folder, '..');
  mkdirSync(above, { recursive: true });
  const work = mkdtempSync(join(above, '.fetching-'));
  try {
    git(['init', '--quiet', work]);
    const fetch = (what: string): string =>
      git(['-C', work, 'fetch', '--quiet', '--depth', '1', '--no-tags', '--', url, what]);
    try {
      fetch(commit);
    } catch {
      // Some servers give no commits, only what has a name.
      fetch(version);
    }
    git(['-C', work, '-c', 'advice.detachedHead=false', 'checkout', '--quiet', commit]);
    rmSync(join(work, '.git'), { recursive: true, force: true });
    try {
      renameSync(work, folder);
    } catch (error) {
      // Somebody else has fetched the same meanwhile.
      if (!existsSync(folder) || readdirSync(folder).length === 0) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function git(args: readonly string[]): string {
  try {
    return execFileSync('git', args, {
      encoding: 'utf8',
      timeout: TIME_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nobody is there to be asked for a password.
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_LFS_SKIP_SMUDGE: '1' },
    });
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim().slice(0, 1_000) : '';
    throw new DelosError(
      'ERR_NOT_FOUND',
      `an action cannot be fetched: ${said === '' ? `git ${args[0]} failed` : said}`,
      {
        hint: '--git-mirror names another place of repositories; --actions names a folder that has them',
        cause,
      },
    );
  }
}
