import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { parseRegistry } from '../image-registry.ts';
import type { RuleFault } from './rule-fault.ts';

/** Stands for every registry that no other entry names. */
export const ANY_REGISTRY = '*';

/** `[host]` and `ca` of containerd's hosts.toml, https://github.com/containerd/containerd/blob/main/docs/hosts.md */
export const imageMirror = z.strictObject({
  registry: z
    .string()
    .refine(
      (name) => name === ANY_REGISTRY || parseRegistry(name) !== undefined,
      'expected HOST[:PORT] of a registry, as image names have it, or "*" for all others',
    )
    .transform((name) => name.toLowerCase())
    .describe('The registry that image names say, host[:port]; docker.io for names without one; "*": all others'),
  url: z
    .string()
    .max(500)
    .transform((text, context) => {
      const fault = urlFault(text);
      if (fault === undefined) return endpointOf(new URL(text));
      context.addIssue({ code: 'custom', message: `expected the URL of a mirror, found "${text}": ${fault}` });
      return z.NEVER;
    })
    .describe(
      'Where its images are asked for, http:// or https://. A path is one of the registry API: /dockerhub means /v2/dockerhub',
    ),
  certificateAuthority: z
    .string()
    .max(100_000)
    .refine(isPem, 'expected certificates in PEM, -----BEGIN CERTIFICATE-----, one after the other')
    .optional()
    .describe('Who has signed its certificate, in PEM; left out: an authority that the nodes trust'),
  only: z
    .boolean()
    .default(false)
    .describe('The registry itself is never asked, also where the mirror does not answer'),
});
export type ImageMirror = z.infer<typeof imageMirror>;

function urlFault(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text)) return 'it begins with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'a mirror that asks for a login is not supported';
  if (url.search !== '' || url.hash !== '') return 'it has no query and no fragment';
  return /["\\]|%(?![0-9a-f]{2})/i.test(url.pathname) ? 'its path has characters that none has' : undefined;
}

/** containerd asks below the path that is named, and adds nothing to it. */
function endpointOf({ origin, pathname }: URL): string {
  const path = pathname.replace(/\/+$/, '');
  return origin + (path === '' || path.split('/').includes('v2') ? path : `/v2${path}`);
}

function isPem(text: string): boolean {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const rest = blocks.reduce((left, block) => left.replace(block, ''), text);
  if (blocks.length === 0 || rest.includes('-----')) return false;
  try {
    return blocks.map((block) => new X509Certificate(block)).length > 0;
  } catch {
    return false;
  }
}

/** The mirrors that answer for a registry, in the order in which they are asked. @param registry as image names have it */
export function mirrorsOf(mirrors: readonly ImageMirror[], registry: string): readonly ImageMirror[] {
  const own = mirrors.filter((mirror) => mirror.registry === registry);
  return own.length > 0 ? own : mirrors.filter((mirror) => mirror.registry === ANY_REGISTRY);
}

/** What a bundle brought to the site is asked of a registry that the file must name. */
export function imageSourceFaults(images: {
  readonly source: string;
  readonly registry?: string | undefined;
}): readonly RuleFault[] {
  if (images.source !== 'site' || images.registry !== undefined) return [];
  const message =
    '`site` takes the images of `images.registry`, which is not given: expected HOST/registry.delos.internal';
  return [{ path: ['images', 'source'], message }];
}

/** @param engine `cluster.engine` */
export function mirrorFaults(mirrors: readonly ImageMirror[], engine: string): readonly RuleFault[] {
  const path = ['images', 'mirrors'];
  if (mirrors.length > 0 && engine === 'existing') {
    const message =
      'the nodes of an existing cluster get their mirrors from its administrator (containerd: hosts.toml)';
    return [{ path, message }];
  }
  return mirrors.flatMap(({ registry, url }, index) => {
    const first = mirrors.findIndex((other) => other.registry === registry && other.url === url);
    return first === index
      ? []
      : [{ path: [...path, index, 'url'], message: `\`${url}\` is a mirror of \`${registry}\` already` }];
  });
}
