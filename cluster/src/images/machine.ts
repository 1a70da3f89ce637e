import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { run } from '@delos/host';
import { tryOsRelease } from '../toolchain/index.ts';

/*
 * What a build borrows from this machine: its package mirrors, proxy settings and CA bundle. They are mounted for
 * single steps and never become part of an image.
 */

const CA_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
const CARRIED = /^Acquire::(https?::(Proxy|Verify-Peer|CAInfo)|Retries|http::Timeout|https::Timeout)\b/;

/** Settings of pip, and of proxies, that tell where packages come from. Others are about the machine's own environments. */
const PIP_VARIABLES =
  /^(PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|PROXY|TIMEOUT|DEFAULT_TIMEOUT|RETRIES)|(https?|no|all)_proxy)$/i;

export interface Debian {
  readonly codename: string;
  /** `Debian 12 (bookworm)` and the like. */
  readonly title: string;
}

/** The Debian that this machine's apt sources serve; undefined on other systems. */
export async function tryDebian(): Promise<Debian | undefined> {
  const release = await tryOsRelease();
  if (release?.id !== 'debian' || release.codename === undefined) return undefined;
  return { codename: release.codename, title: release.title };
}

/** Fills the build context `machine`. Sources are taken along only for a base of the machine's own Debian release. */
export async function prepareMachine(folder: string, images: string, debian: Debian | undefined): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const script of ['install', 'wheels']) await copyFile(join(images, 'machine', script), join(folder, script));
  const dump = await run('apt-config', ['dump'], { limitSeconds: 30 });
  const carried = dump.code === 0 ? dump.stdout.split('\n').filter((line) => CARRIED.test(line)) : [];
  await writeFile(join(folder, 'apt.conf'), `${carried.join('\n')}\n`);
  const bundle = process.env.SSL_CERT_FILE ?? (await firstFile(CA_BUNDLES));
  if (bundle !== undefined) await copyFile(bundle, join(folder, 'ca.pem')).catch(() => undefined);
  if (debian !== undefined) {
    await copySources(join(folder, 'sources.list.d'), debian.codename);
    await copyFile('/etc/apt/auth.conf', join(folder, 'auth.conf')).catch(() => undefined);
  }
  await preparePip(join(folder, 'pip'));
}

/** How this machine's pip reaches its package index: files and variables, as pip itself looks for them. */
async function preparePip(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  const home = homedir();
  const files = {
    'global.conf': ['/etc/xdg/pip/pip.conf', '/etc/pip.conf'],
    'user.conf': [
      ...(process.env.PIP_CONFIG_FILE === undefined ? [] : [process.env.PIP_CONFIG_FILE]),
      join(process.env.XDG_CONFIG_HOME ?? join(home, '.config'), 'pip/pip.conf'),
      join(home, '.pip/pip.conf'),
    ],
    netrc: [process.env.NETRC ?? join(home, '.netrc')],
  };
  for (const [name, paths] of Object.entries(files)) {
    const found = await firstFile(paths);
    if (found !== undefined) await copyFile(found, join(folder, name));
  }
  const variables = Object.entries(process.env).filter(([name]) => PIP_VARIABLES.test(name));
  const lines = variables.map(([name, value = '']) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  await writeFile(join(folder, 'env'), lines.join(''), { mode: 0o600 });
}

/** Debian's own sources of this machine; those of other publishers have no business in an image. */
export async function copySources(folder: string, codename: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const files = ['/etc/apt/sources.list', ...parts.map((name) => join('/etc/apt/sources.list.d', name))];
  const kept: string[] = [];
  for (const file of files) {
    if (!/\.(list|sources)$/.test(file)) continue;
    const text = await readFile(file, 'utf8').catch(() => '');
    const ours = file.endsWith('.list') ? ownLines(text, codename) : ownStanzas(text, codename);
    if (ours === '') continue;
    const target = join(folder, basename(file));
    await writeFile(target, ours);
    kept.push(target);
  }
  return kept;
}

/** Lines of a one-line-style sources file (sources.list(5)) whose suite belongs to the release. */
export function ownLines(text: string, codename: string): string {
  const lines = text.split('\n').filter((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)\s/.exec(line.trim());
    return match !== null && isSuite(match[1] ?? '', codename);
  });
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Stanzas of a deb822 sources file whose suites all belong to the release. */
export function ownStanzas(text: string, codename: string): string {
  const stanzas = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n\s*\n/)
    .map((stanza) => stanza.trim())
    .filter((stanza) => {
      const suites = /^Suites:\s*(.+)$/im.exec(stanza)?.[1]?.split(/\s+/) ?? [];
      return suites.length > 0 && suites.every((suite) => isSuite(suite, codename)) && !/^Enabled:\s*no/im.test(stanza);
    });
  return stanzas.length === 0 ? '' : `${stanzas.join('\n\n')}\n`;
}

function isSuite(suite: string, codename: string): boolean {
  return suite === codename || ['-updates', '-security', '-backports'].some((part) => suite === `${codename}${part}`);
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths)
    if (
      await stat(path).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return path;
  return undefined;
}
