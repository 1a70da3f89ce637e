import { type ClaimObservation, type DiskDesire, type FromAgent, USED_BYTES } from '@delos/core';
import { isNotFound, type KubeClient } from '@delos/kube';
import type { Logger } from 'pino';
import { guard } from '../../edge/guard.ts';
import type { Node } from '../jobs/pod-shape.ts';
import type { Namespaces } from '../namespaces/namespaces.ts';
import { Workers } from '../workers.ts';
import { claimManifest } from './claim-manifest.ts';
import { type Claim, type ClaimEvent, claimEvents, claimShape, type Volume, volumeShape } from './claim-shape.ts';
import { newestEvent, observeClaim } from './observe-claim.ts';
import { volumeNodes } from './volume-nodes.ts';

/*
 * Makes true what is desired of each disk, and tells what it sees.
 *
 * A claim is made at most once: its name is the disk's id, and one that was seen, by this process or (`claimUid` of a
 * desire) by one before, is never made again, only told as gone: what would be made is empty. A claim of which nothing is
 * desired is left alone, as somebody's data may be on it.
 */

export interface DiskKeeperProps {
  readonly client: KubeClient;
  readonly cluster: string;
  /** Of new claims; undefined: the cluster's default. */
  readonly storageClass: string | undefined;
  readonly namespaces: Namespaces;
  readonly log: Logger;
  readonly send: (message: FromAgent) => void;
  readonly connected: () => boolean;
  /** The nodes as they are known. */
  readonly nodes: () => Iterable<Node>;
  /** The claims of this namespace are to be followed. */
  readonly follow: (namespace: string) => void;
}

interface Entry {
  readonly id: string;
  desired: DiskDesire | undefined;
  claim: Claim | undefined;
  seenUid: string | undefined;
  event: ClaimEvent | undefined;
  /** Of its claim, and when it was read. */
  volume: Volume | undefined;
  volumeAt: number;
  told: { readonly seq: number; readonly text: string; readonly observation: ClaimObservation } | undefined;
  acked: boolean;
  failures: number;
  retry: NodeJS.Timeout | undefined;
}

const RETRY_MS = [200, 500, 1_000, 2_000, 5_000, 10_000];
/** What a volume says is read again this often. */
const VOLUME_MS = 60_000;

export class DiskKeeper {
  readonly #props: DiskKeeperProps;
  readonly #entries = new Map<string, Entry>();
  readonly #workers: Workers<Entry>;
  #seq = 0;

  constructor(props: DiskKeeperProps) {
    this.#props = props;
    this.#workers = new Workers((entry) => this.#work(entry), 'working on a disk', props.log, 4);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Namespaces that have disks. */
  get namespaces(): ReadonlySet<string> {
    return new Set([...this.#entries.values()].flatMap(({ desired }) => desired?.spec.namespace ?? []));
  }

  sync(ids: readonly string[]): void {
    const listed = new Set(ids);
    for (const { id } of this.#entries.values()) if (!listed.has(id)) this.forget(id);
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      entry.acked = false;
      this.#workers.wake(entry);
    }
  }

  desire(disk: DiskDesire): void {
    const entry = this.#entry(disk.id);
    if (entry.desired !== undefined && entry.desired.revision > disk.revision) return;
    entry.desired = disk;
    this.#props.follow(disk.spec.namespace);
    this.#workers.wake(entry);
  }

  forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.desired = undefined;
    clearTimeout(entry.retry);
    this.#entries.delete(id);
  }

  ack(id: string, seq: number): void {
    const entry = this.#entries.get(id);
    if (entry?.told?.seq === seq) entry.acked = true;
  }

  claimChanged(claim: Claim, gone: boolean): void {
    const entry = this.#entries.get(claim.metadata.name);
    if (entry === undefined) return;
    if (gone && entry.claim !== undefined && entry.claim.metadata.uid !== claim.metadata.uid) return;
    entry.claim = gone ? undefined : claim;
    entry.seenUid ??= claim.metadata.uid;
    this.#workers.wake(entry);
  }

  /** At intervals: why a claim has no volume, what a volume holds, and what was not acknowledged. */
  sweep(): void {
    for (const entry of this.#entries.values()) {
      const { claim, told, acked } = entry;
      if (told !== undefined && !acked) this.#tellAgain(entry);
      const settled = claim?.status.phase === 'Bound' && Date.now() - entry.volumeAt < VOLUME_MS;
      if (!settled || entry.volume !== undefined) this.#workers.wake(entry);
    }
  }

  #entry(id: string): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry: Entry = {
      id,
      desired: undefined,
      claim: undefined,
      seenUid: undefined,
      event: undefined,
      volume: undefined,
      volumeAt: 0,
      told: undefined,
      acked: false,
      failures: 0,
      retry: undefined,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  async #work(entry: Entry): Promise<void> {
    const { log, namespaces } = this.#props;
    const { desired } = entry;
    if (desired === undefined) return;
    try {
      await namespaces.ensure({ ...desired.spec, security: 'baseline', httpPort: null });
      if (desired.spec.action === 'keep') await this.#keep(entry, desired);
      else await this.#remove(entry, desired);
      entry.failures = 0;
    } catch (error) {
      entry.failures += 1;
      // As if the namespace, or the agent's rights there, had gone: they are made again.
      namespaces.forget(desired.spec.namespace);
      log.warn({ error, disk: entry.id, action: desired.spec.action, failures: entry.failures }, 'will try again');
      this.#workAgain(entry);
    }
  }

  #workAgain(entry: Entry): void {
    clearTimeout(entry.retry);
    const again = guard(
      () => this.#workers.wake(entry),
      (error) => this.#props.log.error({ error, disk: entry.id }, 'a disk could not be looked at'),
    );
    entry.retry = setTimeout(again, RETRY_MS[Math.min(entry.failures, RETRY_MS.length) - 1]);
    entry.retry.unref();
  }

  async #keep(entry: Entry, desired: DiskDesire): Promise<void> {
    entry.claim ??= await this.#read(desired);
    if (entry.claim !== undefined) {
      await this.#observe(entry, entry.claim);
      return;
    }
    const seen = desired.spec.claimUid ?? entry.seenUid;
    if (seen !== undefined) {
      const description = 'its volume is gone: its claim was deleted from outside';
      this.#tell(entry, { claimUid: seen, phase: 'broken', description, nodes: null, usedBytes: null });
      return;
    }
    // What was desired may be old.
    if (!this.#props.connected() || entry.desired !== desired) return;
    const { client, cluster, storageClass } = this.#props;
    const made = await client.create(claimsOf(desired), claimManifest(desired, cluster, storageClass));
    entry.claim = claimShape.parse(made);
    entry.seenUid = entry.claim.metadata.uid;
    await this.#observe(entry, entry.claim);
  }

  async #remove(entry: Entry, desired: DiskDesire): Promise<void> {
    const claim = entry.claim ?? (await this.#read(desired));
    if (claim === undefined) {
      this.#props.send({ type: 'removed', kind: 'disk', id: entry.id });
      return;
    }
    if (claim.metadata.deletionTimestamp !== undefined) return;
    const { uid } = claim.metadata;
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
    await this.#props.client.delete(`${claimsOf(desired)}/${desired.id}`, options).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    entry.claim = await this.#read(desired);
    if (entry.claim === undefined) this.#props.send({ type: 'removed', kind: 'disk', id: entry.id });
  }

  /** The claim as the API server has it. */
  async #read(desired: DiskDesire): Promise<Claim | undefined> {
    const found = await this.#props.client.tryGet(`${claimsOf(desired)}/${desired.id}`);
    return found === undefined ? undefined : claimShape.parse(found);
  }

  async #observe(entry: Entry, claim: Claim): Promise<void> {
    const { client, nodes } = this.#props;
    const { uid, namespace } = claim.metadata;
    if (claim.status.phase === 'Bound') {
      if (entry.volume === undefined || Date.now() - entry.volumeAt >= VOLUME_MS) {
        const found = await client.tryGet(`/api/v1/persistentvolumes/${claim.spec.volumeName}`);
        entry.volume = found === undefined ? undefined : volumeShape.parse(found);
        entry.volumeAt = Date.now();
      }
    } else {
      const query = { fieldSelector: `involvedObject.uid=${uid}`, limit: '50' };
      const events = claimEvents.parse(await client.get(`/api/v1/namespaces/${namespace}/events`, query));
      entry.event = newestEvent(events.items);
    }
    const { volume, event } = entry;
    const where = volume === undefined ? null : volumeNodes(volume, nodes());
    const used = Number(volume?.metadata.annotations[USED_BYTES] ?? Number.NaN);
    this.#tell(
      entry,
      observeClaim(claim, { event, nodes: where, usedBytes: Number.isSafeInteger(used) ? used : null }),
    );
  }

  #tell(entry: Entry, observation: ClaimObservation): void {
    const text = JSON.stringify(observation);
    if (entry.told?.text === text && entry.acked) return;
    if (entry.told?.text !== text) entry.told = { seq: ++this.#seq, text, observation };
    entry.acked = false;
    this.#tellAgain(entry);
  }

  #tellAgain({ id, told, desired }: Entry): void {
    if (told === undefined || desired?.spec.action !== 'keep') return;
    const { seq, observation } = told;
    this.#props.send({ type: 'observation', kind: 'disk', id, seq, observation });
  }
}

function claimsOf({ spec }: DiskDesire): string {
  return `/api/v1/namespaces/${spec.namespace}/persistentvolumeclaims`;
}
