import type { Digest } from '../format/digest.ts';
import { isDigest } from '../format/digest.ts';
import type { BundleIndex, Item } from '../format/index-schema.ts';
import { OCI_MANIFEST } from '../format/manifest.ts';
import { placesOf } from '../site/place.ts';

/** What a path of the server leads to. */
export type Route =
  | { readonly kind: 'blob'; readonly digest: Digest; readonly mediaType: string; readonly isManifest: boolean }
  | { readonly kind: 'text'; readonly mediaType: string; readonly text: string };

const OCTETS = 'application/octet-stream';

/** Paths of a bundle: the registry API, files by their names, and Python packages as pip asks for them. */
export class Routes {
  readonly #manifests = new Map<string, Digest>();
  readonly #types = new Map<Digest, string>();
  readonly #files = new Map<string, Digest>();
  readonly #projects = new Map<string, { readonly file: string; readonly digest: Digest }[]>();
  readonly #repositories = new Map<string, Set<Digest>>();

  constructor({ items }: BundleIndex) {
    for (const item of items) this.#add(item);
  }

  /** @param given path without its query; apt asks for what lies beside its index by `./` */
  find(given: string): Route | undefined {
    const path = given.replaceAll('/./', '/');
    if (path === '/v2' || path === '/v2/') return { kind: 'text', mediaType: 'application/json', text: '{}' };
    const [, repository = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === 'manifests') return this.#manifest(repository, reference);
    if (kind === 'blobs') return this.#blob(repository, reference);
    if (path.startsWith('/files/')) return this.#file(path.slice('/files/'.length));
    return this.#simple(path);
  }

  #add(item: Item): void {
    const { kind, name, descriptor, parts, manifests = [] } = item;
    this.#types.set(descriptor.digest, descriptor.mediaType);
    for (const digest of manifests) this.#types.set(digest, this.#types.get(digest) ?? OCI_MANIFEST);
    for (const { repository, tag } of placesOf(item)) {
      this.#manifests.set(`${repository}:${tag}`, descriptor.digest);
      const own = this.#repositories.get(repository) ?? new Set();
      for (const digest of [descriptor.digest, ...parts]) own.add(digest);
      this.#repositories.set(repository, own);
    }
    const content = parts.at(-1);
    if (kind === 'image' || content === undefined) return;
    this.#files.set(`${kind}/${name}`, content);
    if (kind !== 'wheel') return;
    const project = projectOf(name);
    this.#projects.set(project, [...(this.#projects.get(project) ?? []), { file: name, digest: content }]);
  }

  #manifest(repository: string, reference: string): Route | undefined {
    const digest = isDigest(reference) ? reference : this.#manifests.get(`${repository}:${reference}`);
    const mediaType = digest === undefined ? undefined : this.#types.get(digest);
    if (digest === undefined || mediaType === undefined) return undefined;
    if (this.#repositories.get(repository)?.has(digest) !== true) return undefined;
    return { kind: 'blob', digest, mediaType, isManifest: true };
  }

  #blob(repository: string, digest: string): Route | undefined {
    if (!isDigest(digest) || this.#repositories.get(repository)?.has(digest) !== true) return undefined;
    return { kind: 'blob', digest, mediaType: OCTETS, isManifest: false };
  }

  #file(name: string): Route | undefined {
    const digest = this.#files.get(name);
    return digest === undefined ? undefined : { kind: 'blob', digest, mediaType: OCTETS, isManifest: false };
  }

  /** PEP 503, https://peps.python.org/pep-0503/ */
  #simple(path: string): Route | undefined {
    const page = (links: readonly string[]): Route => ({
      kind: 'text',
      mediaType: 'text/html',
      text: `<!DOCTYPE html><html><body>\n${links.join('\n')}\n</body></html>\n`,
    });
    if (path === '/simple/') {
      return page(
        [...this.#projects.keys()].toSorted().map((project) => `<a href="/simple/${project}/">${project}</a>`),
      );
    }
    const project = /^\/simple\/([a-z0-9-]+)\/$/.exec(path)?.[1];
    const wheels = project === undefined ? undefined : this.#projects.get(project);
    return wheels === undefined
      ? undefined
      : page(
          wheels.map(
            ({ file, digest }) =>
              `<a href="/files/wheel/${encodeURIComponent(file)}#sha256=${digest.slice(7)}">${file}</a>`,
          ),
        );
  }
}

/** Name of a wheel's project as indices have it: lower case, with hyphens. */
const projectOf = (file: string): string => (file.split('-')[0] ?? file).replace(/[-_.]+/g, '-').toLowerCase();
