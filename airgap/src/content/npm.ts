import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { InstancePaths, Progress } from '@delos/core';
import { run } from '@delos/host';
import { z } from 'zod';
import { fileContent } from './artifact.ts';
import { type Content, contentError, joined } from './content.ts';

export interface NpmOptions {
  /** Root of the checkout. */
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Ask npm for what its caches lack. Otherwise it is named as not found. */
  readonly fetch: boolean;
}

const INTEGRITY = /^sha512-([A-Za-z0-9+/]{86}==)$/;
/** https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json */
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      integrity: z.string().optional(),
      dev: z.boolean().optional(),
      link: z.boolean().optional(),
      os: z.array(z.string()).optional(),
      cpu: z.array(z.string()).optional(),
      libc: z.array(z.string()).optional(),
    }),
  ),
});
export type LockedPackage = z.infer<typeof lockSchema>['packages'][string];

/** Whether the command needs a package where it runs on Linux, x86-64, glibc. What only develops Delos is left out. */
export const isNeeded = ({ dev, os, cpu, libc }: LockedPackage): boolean =>
  dev !== true && isFor(os, 'linux') && isFor(cpu, 'x64') && isFor(libc, 'glibc');

const isFor = (list: readonly string[] | undefined, own: string): boolean =>
  list === undefined ||
  ((list.includes(own) || !list.some((each) => !each.startsWith('!'))) && !list.includes(`!${own}`));

/**
 * The npm packages that the command runs on, as package-lock.json pins them. npm's own cache has them by their content.
 * @throws DelosError ERR_BUNDLE_CONTENT
 */
export async function npmContent(options: NpmOptions): Promise<Content> {
  const { packages } = lockSchema.parse(JSON.parse(await readFile(join(options.root, 'package-lock.json'), 'utf8')));
  const wanted = Object.entries(packages).flatMap(([path, locked]) => {
    const { integrity, version } = locked;
    return integrity === undefined || version === undefined || !isNeeded(locked)
      ? []
      : [{ name: nameIn(path), version, integrity }];
  });
  const caches = [join(options.paths.cache, 'bundle/npm/_cacache'), ...(await ownCache(options))];
  if (options.fetch && (await absent(wanted, caches)).length > 0) await fetchAll(options);
  const [first, ...more] = await absent(wanted, caches);
  if (first !== undefined) {
    const others = more.length === 0 ? '' : `, and ${more.length} more`;
    throw contentError(
      `npm package ${first.name} ${first.version} is not found in npm's cache${others}`,
      '`delos bundle create` without --offline-check fetches it',
      { missing: [first, ...more].map(({ name, version }) => `${name}@${version}`) },
    );
  }
  const contents: Content[] = [];
  for (const each of wanted) contents.push(await packageContent(each, caches));
  return joined(contents);
}

interface Wanted {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/** Of the path in node_modules. */
const nameIn = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

async function packageContent({ name, version, integrity }: Wanted, caches: readonly string[]): Promise<Content> {
  const path = await tryCached(integrity, caches);
  const found = createHash('sha512')
    .update(await readFile(path ?? ''))
    .digest('base64');
  if (path === undefined || `sha512-${found}` !== integrity) {
    throw contentError(
      `npm package ${name} ${version} has sha512 ${found}, expected ${integrity} (pinned)`,
      'npm’s cache has changed: npm cache verify',
    );
  }
  const own = name.replace('@', '');
  const file = `${own.replace('/', '-')}-${version}.tgz`;
  return fileContent({ kind: 'npm', name: `${own}/${file}`, path, about: { integrity } });
}

async function absent(wanted: readonly Wanted[], caches: readonly string[]): Promise<readonly Wanted[]> {
  const lacking: Wanted[] = [];
  for (const each of wanted) if ((await tryCached(each.integrity, caches)) === undefined) lacking.push(each);
  return lacking;
}

/** https://github.com/npm/cacache: content lies by its digest. */
async function tryCached(integrity: string, caches: readonly string[]): Promise<string | undefined> {
  const base64 = INTEGRITY.exec(integrity)?.[1];
  if (base64 === undefined) return undefined;
  const hex = Buffer.from(base64, 'base64').toString('hex');
  for (const cache of caches) {
    const path = join(cache, 'content-v2/sha512', hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
    if ((await stat(path).catch(() => undefined))?.isFile() === true) return path;
  }
  return undefined;
}

async function ownCache({ signal }: NpmOptions): Promise<readonly string[]> {
  const { code, stdout } = await run('npm', ['config', 'get', 'cache'], { limitSeconds: 60, signal });
  return code === 0 && stdout.trim().startsWith('/') ? [join(stdout.trim(), '_cacache')] : [];
}

/** An installation beside the checkout fills a cache of our own. */
async function fetchAll({ root, paths, progress, signal }: NpmOptions): Promise<void> {
  progress.step('fetching npm packages');
  const cache = join(paths.cache, 'bundle/npm');
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, '.install-'));
  try {
    const { workspaces } = z
      .object({ workspaces: z.array(z.string()) })
      .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
    for (const file of ['package.json', 'package-lock.json', ...workspaces.map((each) => `${each}/package.json`)]) {
      await mkdir(dirname(join(work, file)), { recursive: true });
      await cp(join(root, file), join(work, file));
    }
    const args = ['ci', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, stderr } = await run('npm', [...args, '--cache', cache], { cwd: work, limitSeconds: 900, signal });
    if (code === 0) return;
    throw contentError(
      `npm could not bring the packages: ${stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? 'no message'}`,
      'check that npm reaches its registry: npm ping',
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
