import type { FromAgent, JobDesire, PodObservation } from '@delos/core';
import type { Logger } from 'pino';
import { guard } from '../../edge/guard.ts';
import type { ImageSource } from '../../image-source.ts';
import { CONTAINER } from '../container-name.ts';
import type { Namespaces } from '../namespaces/namespaces.ts';
import { Workers } from '../workers.ts';
import { dropSecrets, type Entry, isEnd, lacksSecrets, newEntry, nothing, seenUid } from './entry.ts';
import { isPullReason } from './image-pull.ts';
import { secretProblem } from './job-secrets.ts';
import { hasEnded, observePod, runOf } from './observe.ts';
import { PodActions, type PodActionsProps } from './pod-actions.ts';
import { explainRefusal } from './pod-refusal.ts';
import type { Pod } from './pod-shape.ts';

/*
 * Makes true what is desired of each job, and tells what it sees.
 *
 * A Pod is made at most once: its name is the job's id, so a second making is refused by the API server; and a Pod that
 * was seen once, by this process or (`podUid` of a desire) by one before, is never made again in the same run, only told as
 * absent. A Pod of an earlier run is deleted before that of a later one is made.
 * Nothing is made while the control plane is not connected: what was desired may be old.
 */

export interface JobKeeperProps extends PodActionsProps {
  readonly namespaces: Namespaces;
  readonly log: Logger;
  /** Sends, or drops where there is no connection: all is told again at the next one. */
  readonly send: (message: FromAgent) => void;
  readonly connected: () => boolean;
  readonly lastEvent: (podUid: string) => { readonly reason: string; readonly message: string } | undefined;
  /** Manifest digest of an image that stands in for another → what it really is. */
  readonly standIns: ReadonlyMap<string, string>;
  /** Why an image must not be pulled, judged by its registry. */
  readonly imageSource: ImageSource;
}

/** A Pod that nothing is known of may be one whose desire is on its way. */
const ORPHAN_MS = 60_000;
const RETRY_MS = [100, 500, 1_000, 2_000, 5_000, 10_000];

export class JobKeeper {
  readonly #props: JobKeeperProps;
  readonly #pods: PodActions;
  readonly #entries = new Map<string, Entry>();
  readonly #workers: Workers<Entry>;
  #seq = 0;
  #podsKnown = false;
  #desiresKnown = false;

  constructor(props: JobKeeperProps) {
    this.#props = props;
    this.#pods = new PodActions(props);
    this.#workers = new Workers((entry) => this.#work(entry), 'working on a job', props.log);
  }

  /** The Pods were listed: from now on a Pod that is not known is not there. */
  podsListed(): void {
    if (this.#podsKnown) return;
    this.#podsKnown = true;
    for (const entry of this.#entries.values()) this.#wake(entry);
  }

  /** All jobs of which something is desired, after each was told: the others are forgotten. */
  sync(jobIds: readonly string[]): void {
    const listed = new Set(jobIds);
    for (const entry of this.#entries.values()) if (!listed.has(entry.jobId)) this.forget(entry.jobId);
    this.#desiresKnown = true;
    for (const jobId of jobIds) {
      const entry = this.#entry(jobId);
      // Told anew: the control plane may have lost what it had not acknowledged.
      entry.acked = false;
      if (entry.told !== undefined) this.#tellAgain(entry);
      this.#wake(entry);
    }
  }

  desire(job: JobDesire): void {
    const entry = this.#entry(job.id);
    if (entry.desired !== undefined && entry.desired.revision > job.revision) return;
    entry.desired = job;
    dropSecrets(entry);
    this.#wake(entry);
  }

  forget(jobId: string): void {
    const entry = this.#entries.get(jobId);
    if (entry === undefined) return;
    entry.desired = undefined;
    entry.told = undefined;
    clearTimeout(entry.retry);
    if (entry.pod === undefined) this.#entries.delete(jobId);
  }

  ack(jobId: string, seq: number): void {
    const entry = this.#entries.get(jobId);
    if (entry?.told?.seq === seq) entry.acked = true;
  }

  podChanged(pod: Pod, gone: boolean): void {
    const entry = this.#entry(pod.metadata.name);
    if (entry.pod !== undefined && entry.pod.metadata.uid !== pod.metadata.uid && gone) return;
    const run = runOf(pod);
    if (entry.seen === undefined || entry.seen.run < run) entry.seen = { uid: pod.metadata.uid, run };
    entry.pod = gone ? undefined : pod;
    if (gone && entry.desired !== undefined && hasEnded(pod)) this.#observe(entry, pod);
    if (gone && entry.desired === undefined) this.#entries.delete(entry.jobId);
    else this.#wake(entry);
  }

  /** The Pod of a job, where there is one. */
  podOf(jobId: string): Pod | undefined {
    return this.#entries.get(jobId)?.pod;
  }

  /** At intervals: what depends on time alone, and what was not acknowledged. */
  sweep(): void {
    for (const entry of this.#entries.values()) {
      this.#wake(entry);
      if (entry.told !== undefined && !entry.acked) this.#tellAgain(entry);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  #entry(jobId: string): Entry {
    const known = this.#entries.get(jobId);
    if (known !== undefined) return known;
    const entry = newEntry(jobId);
    this.#entries.set(jobId, entry);
    return entry;
  }

  #wake(entry: Entry): void {
    if (!this.#podsKnown) return;
    if (entry.pod !== undefined && entry.desired !== undefined) this.#observe(entry, entry.pod);
    this.#workers.wake(entry);
  }

  async #work(entry: Entry): Promise<void> {
    try {
      await this.#act(entry);
      entry.failures = 0;
    } catch (error) {
      entry.failures += 1;
      const { desired } = entry;
      const refusal = entry.pod === undefined ? explainRefusal(error) : undefined;
      const starts = desired?.spec.action === 'run';
      if (starts && refusal?.final === true) {
        this.#tell(entry, {
          ...nothing(entry),
          phase: 'failed',
          reason: refusal.reason,
          description: refusal.description,
        });
        return;
      }
      if (refusal?.forgetNamespace === true) this.#props.namespaces.forget(desired?.spec.pod.namespace ?? '');
      this.#props.log.warn(
        { error, jobId: entry.jobId, action: desired?.spec.action, failures: entry.failures },
        'will try again',
      );
      if (starts && entry.failures >= 3 && refusal !== undefined) {
        this.#tell(entry, { ...nothing(entry), reason: refusal.reason, description: refusal.description });
      }
      clearTimeout(entry.retry);
      const again = guard(
        () => this.#wake(entry),
        (cause) => this.#props.log.error({ error: cause, jobId: entry.jobId }, 'a job could not be looked at'),
      );
      entry.retry = setTimeout(again, RETRY_MS[Math.min(entry.failures, RETRY_MS.length) - 1]);
      entry.retry.unref();
    }
  }

  async #act(entry: Entry): Promise<void> {
    const { desired, pod } = entry;
    if (desired === undefined) return this.#orphan(entry);
    if (pod !== undefined && runOf(pod) !== desired.spec.run) {
      // Of a later run: what is desired is old, and news on its way.
      return runOf(pod) < desired.spec.run ? this.#pods.delete(pod) : undefined;
    }
    switch (desired.spec.action) {
      case 'run':
        if (pod === undefined) return this.#make(entry, desired);
        if (lacksSecrets(entry)) await this.#giveSecrets(entry, pod, desired);
        return this.#pods.endOvertime(pod, desired);
      case 'stop':
        if (pod === undefined) return this.#absent(entry, desired);
        return this.#pods.stop(pod);
      case 'remove':
        if (pod === undefined) {
          const podUid = desired.spec.podUid ?? seenUid(entry) ?? '';
          this.#props.send({ type: 'removed', kind: 'job', id: entry.jobId, podUid, run: desired.spec.run });
          return;
        }
        return this.#pods.delete(pod);
    }
  }

  async #make(entry: Entry, desired: JobDesire): Promise<void> {
    if (desired.spec.podUid !== null || seenUid(entry) !== undefined) return this.#absent(entry, desired);
    if (!this.#props.connected()) return;
    // Judged again: the control API may see other addresses, or saw them before they changed.
    const refused = await this.#props.imageSource(desired.spec.pod.image);
    if (refused !== undefined && entry.desired === desired) {
      this.#tell(entry, { ...nothing(entry), phase: 'failed', reason: 'ErrImagePull', description: refused });
      return;
    }
    const problem = secretProblem(desired);
    if (problem !== undefined) {
      this.#tell(entry, { ...nothing(entry), phase: 'failed', reason: 'CannotStart', description: problem });
      return;
    }
    await this.#props.namespaces.ensure(desired.spec.pod);
    // Time has passed: it may have been stopped, or the connection lost, meanwhile.
    if (entry.desired !== desired || !this.#props.connected()) {
      this.#workers.wake(entry);
      return;
    }
    await this.#pods.make(desired);
    const { pod } = entry;
    if (pod !== undefined && lacksSecrets(entry)) await this.#giveSecrets(entry, pod, desired);
  }

  async #giveSecrets(entry: Entry, pod: Pod, desired: JobDesire): Promise<void> {
    if (!hasEnded(pod)) await this.#pods.giveSecrets(pod, desired);
    entry.secretsOf = desired.spec.run;
    dropSecrets(entry);
    this.#workers.wake(entry);
    if (entry.pod !== undefined) this.#observe(entry, entry.pod);
  }

  /**
   * There was one and it is no more, which the API server itself must say. It answers only where the agent has its rights: in
   * a cluster that was restored, or where the namespace was deleted with the Pod, these are made first.
   */
  async #absent(entry: Entry, desired: JobDesire): Promise<void> {
    await this.#props.namespaces.ensure(desired.spec.pod);
    if (await this.#pods.isThere(desired)) return;
    const uid = desired.spec.podUid ?? seenUid(entry) ?? '';
    const last = entry.told?.observation;
    // Its end was seen in its last moment: that tells more.
    if (last !== undefined && last.run === desired.spec.run && last.podUid === uid && isEnd(last)) return;
    this.#tell(entry, {
      ...nothing(entry),
      podUid: uid,
      phase: 'absent',
      reason: 'NodeLost',
      description: 'its Pod is gone: it was deleted from outside, or its node was lost',
    });
  }

  async #orphan(entry: Entry): Promise<void> {
    const { pod } = entry;
    if (pod === undefined || !this.#desiresKnown || !this.#props.connected()) return;
    if (Date.now() - Date.parse(pod.metadata.creationTimestamp ?? '') < ORPHAN_MS) return;
    this.#props.log.warn({ jobId: entry.jobId, podUid: pod.metadata.uid }, 'no job wants this Pod: it is deleted');
    await this.#pods.delete(pod);
  }

  #observe(entry: Entry, pod: Pod): void {
    if (runOf(pod) !== entry.desired?.spec.run || lacksSecrets(entry)) return;
    const status = pod.status.containerStatuses.find(({ name }) => name === CONTAINER);
    const pulling = isPullReason(status?.state.waiting?.reason ?? '');
    entry.pullFailingSince = pulling ? (entry.pullFailingSince ?? Date.now()) : undefined;
    const observation = observePod(pod, {
      lastEvent: this.#props.lastEvent(pod.metadata.uid),
      standIns: this.#props.standIns,
      pullFailingMs: entry.pullFailingSince === undefined ? 0 : Date.now() - entry.pullFailingSince,
      now: new Date(),
    });
    this.#tell(entry, observation);
  }

  #tell(entry: Entry, observation: PodObservation): void {
    const text = JSON.stringify(observation);
    if (entry.told?.text === text) return;
    entry.told = { seq: ++this.#seq, text, observation };
    entry.acked = false;
    this.#tellAgain(entry);
  }

  #tellAgain({ jobId, told }: Entry): void {
    if (told === undefined) return;
    const { seq, observation } = told;
    this.#props.send({ type: 'observation', kind: 'job', id: jobId, seq, observation });
  }
}
