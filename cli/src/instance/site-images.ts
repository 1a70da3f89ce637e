import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { DelosConfig } from '@delos/constructs';
import { DelosError, type InstancePaths, mirrorsOf } from '@delos/core';

export interface SiteImageOptions {
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly leaveOut: readonly string[];
}

/**
 * The images that a bundle has brought to the site's registry, by digest: catalogue name → reference that the nodes pull. The
 * registry is asked at the first mirror of it that `images.mirrors` names, else at its own address.
 * @throws DelosError ERR_BUNDLE_CONTENT naming all that are not there
 */
export async function siteImages(
  config: DelosConfig,
  options: SiteImageOptions,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { inRegistry, listImages } = await import('@delos/cluster');
  const { Registry } = await import('@delos/airgap');
  const { registry, mirrors } = config.images;
  if (registry === undefined) throw new DelosError('ERR_INTERNAL', '`images.source: site` has no registry');
  const [host = registry] = registry.split('/', 1);
  const trusted = config.network.authorities.map((file) => readFileSync(file, 'utf8'));
  const mirror = mirrorsOf(mirrors, host).find(({ url }) => new URL(url).pathname === '/');
  const client = new Registry({
    url: mirror?.url ?? `https://${host}`,
    authority: [mirror?.certificateAuthority ?? '', ...trusted, ...rootCertificates].join('\n'),
  });
  const images: Record<string, string> = {};
  const lacking: string[] = [];
  try {
    const { root, paths, leaveOut } = options;
    for (const { name, reference } of await listImages({ root, paths, leaveOut, source: 'local', standIns: false })) {
      const there = inRegistry(reference, registry);
      const colon = there.lastIndexOf(':');
      const repository = there.slice(host.length + 1, colon);
      const digest = await client.tryManifest(repository, there.slice(colon + 1), signal);
      if (digest === undefined) lacking.push(there);
      else images[name] = `${there}@${digest}`;
    }
  } finally {
    await client.close();
  }
  const [first, ...more] = lacking;
  if (first === undefined) return images;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  throw new DelosError('ERR_BUNDLE_CONTENT', `${client.url} does not have ${first}${others}`, {
    hint: 'import the bundle that was made of this checkout: `delos bundle import FOLDER`; `images.registry` is HOST/registry.delos.internal there',
    data: { lacking },
  });
}
