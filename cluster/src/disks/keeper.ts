import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantityOr0, USED_BYTES } from '@delos/core';
import { isKubeError, type KubeClient, Reflector } from '@delos/kube';
import { makeImage, NoDisk } from './image.ts';
import { dataOf, isMounted, mountImage, unmountImage, usedBytes } from './mount.ts';
import { FINALIZER } from './names.ts';
import {
  asksForVolume,
  type Claim,
  claimShape,
  failureEvent,
  isOurs,
  isReleased,
  nameFor,
  usedPatch,
  type Volume,
  volumeManifest,
  volumeShape,
} from './volume.ts';

export interface DiskKeeperOptions {
  readonly api: KubeClient;
  /** Folder of the images. */
  readonly images: string;
  /** Folder of the mounts. */
  readonly mounts: string;
  readonly node: string;
  /** Bytes of the machine's disk that no disk takes. @default 5 GiB */
  readonly reserve?: number;
  readonly log: (message: string) => void;
}

const TURN_MS = 2_000;
/** What failed is tried again so much later. */
const RETRY_MS = 10_000;
const USED_MS = 30_000;
const VOLUMES = '/api/v1/persistentvolumes';

/**
 * Makes a volume for each claim of its class, mounts it wherever the node starts, and takes it away after its claim.
 * An image is `NAME.img.new` until its volume is known to the cluster: one that never was is removed when no claim asks for
 * it, and any other only with its volume. All that is done may be cut off anywhere and done again.
 */
export class DiskKeeper {
  readonly #options: DiskKeeperOptions;
  readonly #claims: Reflector<Claim>;
  readonly #volumes: Reflector<Volume>;
  readonly #notBefore = new Map<string, number>();
  readonly #usedAt = new Map<string, number>();
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
    const common = { client: options.api, onChange: () => this.#wakeUp(), onListed: () => this.#wakeUp() };
    const onProblem = (error: Error): void => options.log(error.message);
    this.#claims = new Reflector({
      ...common,
      onProblem,
      path: '/api/v1/persistentvolumeclaims',
      read: (object) => claimShape.safeParse(object).data,
    });
    this.#volumes = new Reflector({
      ...common,
      onProblem,
      path: VOLUMES,
      read: (object) => {
        const volume = volumeShape.safeParse(object).data;
        return volume !== undefined && isOurs(volume, options.node) ? volume : undefined;
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    mkdirSync(this.#options.images, { recursive: true, mode: 0o700 });
    mkdirSync(this.#options.mounts, { recursive: true, mode: 0o755 });
    // What is there is mounted before anybody is asked: Pods wait for it.
    await this.#mountAll();
    const reflectors = [this.#claims, this.#volumes].map((each) => each.run(signal));
    signal.addEventListener('abort', () => this.#wakeUp(), { once: true });
    while (!signal.aborted) {
      if (this.#claims.synced && this.#volumes.synced) await this.#turn();
      await this.#pause();
    }
    await Promise.all(reflectors);
  }

  async #mountAll(): Promise<void> {
    for (const file of readdirSync(this.#options.images)) {
      if (file.endsWith('.part')) rmSync(join(this.#options.images, file));
      if (!file.endsWith('.img')) continue;
      await this.#try(file, () => mountImage(this.#at(file), this.#mountOf(file.slice(0, -'.img'.length))));
    }
  }

  async #turn(): Promise<void> {
    const volumes = new Map([...this.#volumes.values()].map((volume) => [volume.metadata.name, volume]));
    const claims = [...this.#claims.values()];
    for (const volume of volumes.values()) {
      const { name } = volume.metadata;
      if (isReleased(volume)) await this.#try(name, () => this.#remove(volume));
      else await this.#try(name, () => this.#keep(volume));
    }
    for (const claim of claims) {
      if (!asksForVolume(claim, this.#options.node) || volumes.has(nameFor(claim))) continue;
      await this.#try(nameFor(claim), () => this.#make(claim));
    }
    const asked = new Set(claims.map(nameFor));
    for (const file of readdirSync(this.#options.images)) {
      const name = file.replace(/\.img\.new$/, '');
      if (name === file || asked.has(name) || volumes.has(name)) continue;
      await this.#try(name, async () => {
        this.#options.log(`${file}: its claim went before its volume was made`);
        if (await unmountImage(this.#mountOf(name))) rmSync(this.#at(file), { force: true });
      });
    }
  }

  async #make(claim: Claim): Promise<void> {
    const { api, node, reserve } = this.#options;
    const name = nameFor(claim);
    const fresh = this.#at(`${name}.img.new`);
    const image = existsSync(this.#at(`${name}.img`)) ? this.#at(`${name}.img`) : fresh;
    const mount = this.#mountOf(name);
    try {
      await makeImage(image, quantityOr0(claim.spec.resources.requests.storage), reserve);
      await mountImage(image, mount);
    } catch (error) {
      if (error instanceof NoDisk) await this.#tell(claim, error.message);
      throw error;
    }
    try {
      this.#volumes.put(await api.create(VOLUMES, volumeManifest(claim, dataOf(mount), node)));
    } catch (error) {
      if (!isKubeError(error, 409)) throw error;
    }
    if (image === fresh) renameSync(fresh, this.#at(`${name}.img`));
    this.#options.log(`${name}: made for ${claim.metadata.namespace}/${claim.metadata.name}`);
  }

  async #keep({ metadata: { name, annotations } }: Volume): Promise<void> {
    const image = this.#at(`${name}.img`);
    if (!existsSync(image) && existsSync(`${image}.new`)) renameSync(`${image}.new`, image);
    const mount = this.#mountOf(name);
    if (!isMounted(mount)) await mountImage(image, mount);
    if (Date.now() - (this.#usedAt.get(name) ?? 0) < USED_MS) return;
    this.#usedAt.set(name, Date.now());
    const used = usedBytes(mount);
    if (annotations[USED_BYTES] !== String(used)) await this.#options.api.patch(`${VOLUMES}/${name}`, usedPatch(used));
  }

  async #remove({ metadata }: Volume): Promise<void> {
    const { api, log } = this.#options;
    const { name, uid, finalizers } = metadata;
    const path = `${VOLUMES}/${name}`;
    if (!(await unmountImage(this.#mountOf(name)))) throw new Error('something still has it mounted');
    for (const file of [`${name}.img`, `${name}.img.new`]) rmSync(this.#at(file), { force: true });
    this.#usedAt.delete(name);
    try {
      if (finalizers.includes(FINALIZER)) {
        await api.patch(path, { metadata: { uid, finalizers: finalizers.filter((each) => each !== FINALIZER) } });
      }
      await api.delete(path, { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } });
    } catch (error) {
      if (!isKubeError(error, 404)) throw error;
    }
    log(`${name}: removed`);
  }

  async #tell(claim: Claim, message: string): Promise<void> {
    const { namespace } = claim.metadata;
    const event = failureEvent(claim, message);
    const { name } = event.metadata as { readonly name: string };
    const path = `/api/v1/namespaces/${namespace}/events`;
    try {
      await this.#options.api.create(path, event);
    } catch (error) {
      if (!isKubeError(error, 409)) throw error;
      await this.#options.api.patch(`${path}/${name}`, { message, lastTimestamp: event.lastTimestamp });
    }
  }

  /** One that fails keeps no other from its turn. */
  async #try(name: string, body: () => Promise<void>): Promise<void> {
    if (Date.now() < (this.#notBefore.get(name) ?? 0)) return;
    try {
      await body();
      this.#notBefore.delete(name);
    } catch (error) {
      this.#notBefore.set(name, Date.now() + RETRY_MS);
      this.#options.log(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #at(file: string): string {
    return join(this.#options.images, file);
  }

  #mountOf(name: string): string {
    return join(this.#options.mounts, name);
  }

  #wakeUp(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async #pause(): Promise<void> {
    if (!this.#woken) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const stop = new AbortController();
      await Promise.race([woken, sleep(TURN_MS, undefined, { signal: stop.signal }).catch(() => undefined)]);
      stop.abort();
    }
    this.#wake = undefined;
    this.#woken = false;
  }
}
