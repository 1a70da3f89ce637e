import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MIRROR_HOST } from '@delos/artifacts';
import { ANY_REGISTRY, type ImageMirror, MIRROR_PORT, mirrorsOf, WELL_KNOWN_REGISTRIES } from '@delos/core';
import { writeIfChanged } from '@delos/host';

/*
 * Whom containerd asks for the images of a registry: one folder a registry, with a hosts.toml, which containerd reads at
 * each pull. https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */

/** The node's own registry of what was built here. */
const LOCAL = `http://127.0.0.1:${MIRROR_PORT}`;

interface Asked {
  readonly url: string;
  /** File with the certificates of who signed the server's. */
  readonly authority?: string;
  /** Its certificate is not checked: it is this node itself. @default false */
  readonly unchecked?: boolean;
}

/** How the images of one registry are found. */
export interface RegistryHosts {
  /** As image names have it, or `*`. */
  readonly registry: string;
  /** Asked before the registry itself, in this order. */
  readonly asked: readonly Asked[];
  /** Asked at last. @default the registry itself */
  readonly last?: Asked;
  /** Contents of the files that are named above. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * For a node that has what was built here in its own registry. That holds the images of a well-known registry as
 * repository `<host>/<path>`, and those that only stand in for a name apart, as `stand-in/<host>/<path>`. The site's
 * mirrors come between the two: a stand-in answers only where nothing else does.
 */
export function hostsOfNode(settings: {
  readonly standIns: boolean;
  readonly mirrors: readonly ImageMirror[];
}): readonly RegistryHosts[] {
  const { standIns, mirrors } = settings;
  // Our images are nowhere else. So a missing name is told as `not found`, and not as a host that cannot be resolved.
  const own: RegistryHosts = {
    registry: MIRROR_HOST,
    asked: standIns ? [{ url: `${LOCAL}/v2/stand-in/${MIRROR_HOST}` }] : [],
    last: { url: `${LOCAL}/v2/${MIRROR_HOST}` },
    files: new Map(),
  };
  const known = WELL_KNOWN_REGISTRIES.map((registry) => {
    const { asked, ...rest } = siteHosts(registry, mirrors);
    const standIn = standIns ? [{ url: `${LOCAL}/v2/stand-in/${registry}` }] : [];
    return { ...rest, asked: [{ url: `${LOCAL}/v2/${registry}` }, ...asked, ...standIn] };
  });
  return [own, ...known, ...hostsOfSite(mirrors).filter(({ registry }) => !isWellKnown(registry))];
}

/** For a node that has the site's mirrors alone. */
export function hostsOfSite(mirrors: readonly ImageMirror[]): readonly RegistryHosts[] {
  return [...new Set(mirrors.map(({ registry }) => registry))].map((registry) => siteHosts(registry, mirrors));
}

function siteHosts(registry: string, all: readonly ImageMirror[]): RegistryHosts {
  const files = new Map<string, string>();
  const mirrors = mirrorsOf(all, registry);
  const asked = mirrors.map(({ url, certificateAuthority }, index): Asked => {
    if (certificateAuthority === undefined) return { url };
    const authority = `authority-${index + 1}.crt`;
    files.set(authority, certificateAuthority);
    return { url, authority };
  });
  const last = mirrors.some(({ only }) => only) ? asked.at(-1) : undefined;
  return last === undefined ? { registry, asked, files } : { registry, asked: asked.slice(0, -1), last, files };
}

const isWellKnown = (registry: string): boolean => WELL_KNOWN_REGISTRIES.some((known) => known === registry);

/** @param folder where containerd finds the files that the hosts name */
export function renderHosts({ registry, asked, last }: RegistryHosts, folder: string): string {
  const access = ({ url, authority, unchecked = false }: Asked): string =>
    [
      'capabilities = ["pull", "resolve"]',
      // A path is taken as it is; without one, containerd adds that of the registry API.
      ...(new URL(url).pathname === '/' ? [] : ['override_path = true']),
      ...(unchecked ? ['skip_verify = true'] : []),
      ...(authority === undefined ? [] : [`ca = ${JSON.stringify(join(folder, authority))}`]),
      '',
    ].join('\n');
  const upstream = registry === ANY_REGISTRY ? '' : `server = "${upstreamOf(registry)}"\n`;
  const server = last === undefined ? upstream : `server = "${last.url}"\n${access(last)}`;
  return [server, ...asked.map((host) => `[host."${host.url}"]\n${access(host)}`)]
    .filter((each) => each !== '')
    .join('\n');
}

function upstreamOf(registry: string): string {
  return registry === 'docker.io' ? 'https://registry-1.docker.io' : `https://${registry}`;
}

/**
 * Writes the folder that containerd's `config_path` names; what is there and right is not touched, and other registries
 * than these are asked themselves.
 * @param seen the folder as containerd sees it @default the same
 */
export function writeHosts(folder: string, hosts: readonly RegistryHosts[], seen = folder): void {
  mkdirSync(folder, { recursive: true });
  const wanted = new Map(hosts.map((each) => [each.registry === ANY_REGISTRY ? '_default' : each.registry, each]));
  for (const old of readdirSync(folder)) {
    if (!wanted.has(old)) rmSync(join(folder, old), { recursive: true });
  }
  for (const [name, each] of wanted) {
    // A certificate is there before the file that names it.
    for (const [file, text] of each.files) writeIfChanged(join(folder, name, file), text, 0o644);
    writeIfChanged(join(folder, name, 'hosts.toml'), renderHosts(each, join(seen, name)), 0o644);
    for (const old of readdirSync(join(folder, name))) {
      if (old !== 'hosts.toml' && !each.files.has(old)) rmSync(join(folder, name, old), { recursive: true });
    }
  }
}
