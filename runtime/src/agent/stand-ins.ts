import type { Logger } from 'pino';
import { z } from 'zod';
import { registryOf } from './image-pull.ts';

/** OCI label of an image that answers for another: what it really is. */
const STAND_IN = 'dev.delos.stand-in';

const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
const manifest = z.object({
  config: z.object({ digest: z.string() }).optional(),
  manifests: z.array(z.object({ digest: z.string() })).optional(),
});
const imageConfig = z.object({
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).optional(),
});
const TIMEOUT_MS = 5_000;
const KEPT = 1_000;

/** Which images are stand-ins: their labels, read from the cluster's mirror registry by the digest that runs. */
export class StandIns {
  readonly #mirror: string | undefined;
  readonly #log: Logger;
  readonly #known = new Map<string, string | null>();
  readonly #asked = new Map<string, Promise<void>>();

  constructor(mirror: string | undefined, log: Logger) {
    this.#mirror = mirror?.replace(/\/+$/, '');
    this.#log = log;
  }

  /** What is known now; where nothing is, it is asked for and `learned` called. */
  of(imageId: string, image: string, learned: () => void): string | null {
    const digest = /sha256:[0-9a-f]{64}/.exec(imageId)?.[0];
    if (this.#mirror === undefined || digest === undefined) return null;
    const key = `${repositoryOf(image)}@${digest}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const asked = this.#asked.get(key) ?? this.#ask(key, image, digest);
    this.#asked.set(key, asked);
    void asked.then(learned);
    return null;
  }

  async #ask(key: string, image: string, digest: string): Promise<void> {
    const repository = repositoryOf(image);
    try {
      const what = await this.#labelOf(repository, digest);
      const found = what === null ? null : `${image} is answered by ${what}`;
      if (this.#known.size >= KEPT) this.#known.clear();
      this.#known.set(key, found);
    } catch (error) {
      // Not a stand-in of this mirror: the image came from elsewhere, or the mirror is down.
      this.#log.debug({ error, repository, digest }, 'labels of an image could not be read');
      this.#known.set(key, null);
    } finally {
      this.#asked.delete(key);
    }
  }

  async #labelOf(repository: string, digest: string): Promise<string | null> {
    const top = manifest.parse(await this.#json(`${repository}/manifests/${digest}`));
    const first = top.manifests?.[0];
    const leaf =
      first === undefined ? top : manifest.parse(await this.#json(`${repository}/manifests/${first.digest}`));
    // A containerd image id is the config's own digest.
    const config = imageConfig.parse(await this.#json(`${repository}/blobs/${leaf.config?.digest ?? digest}`));
    return config.config?.Labels?.[STAND_IN] ?? null;
  }

  async #json(path: string): Promise<unknown> {
    const response = await fetch(`${this.#mirror}/v2/${path}`, {
      headers: { accept: ACCEPT },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the mirror registry answered ${response.status} for ${path}`);
    return JSON.parse(await response.text());
  }
}

/** The mirror keeps what stands in for a name as `stand-in/<registry host>/<path>`. */
function repositoryOf(image: string): string {
  const withoutTag = image.replace(/@sha256:.*$/, '').replace(/:[^/:]*$/, '');
  const host = registryOf(image);
  const path = withoutTag.startsWith(`${host}/`) ? withoutTag.slice(host.length + 1) : withoutTag;
  return `stand-in/${host}/${host === 'docker.io' && !path.includes('/') ? `library/${path}` : path}`;
}
