import type { FileVolumeSource, JobDesire } from '@delos/core';
import { isKubeError, type KubeClient } from '@delos/kube';
import { CONTAINER } from '../container-name.ts';
import { provideFiles } from '../files/project-files.ts';
import { secretManifests } from './job-secrets.ts';
import { hasEnded } from './observe.ts';
import { podManifest } from './pod-manifest.ts';
import type { Pod } from './pod-shape.ts';
import { pullSecret, pullSecretName } from './pull-secret.ts';
import type { WayOut } from './way-out.ts';

export interface PodActionsProps {
  readonly client: KubeClient;
  readonly cluster: string;
  /** The pool of nodes without a pool's label, where there is but one. */
  readonly onlyPool: string | undefined;
  readonly wayOut: WayOut;
  /** Where the file storage is; undefined: jobs cannot mount it. */
  readonly fileVolume: FileVolumeSource | undefined;
  /** Keeps a Pod that a call of ours returned. */
  readonly keepPod: (object: unknown) => Pod | undefined;
}

/** The scheduler ends a job whose life-span is over. So much later the agent does it without being told. */
const OVERTIME_MS = 60_000;
const FORCE_MS = 60_000;

/** What is done to a job's Pod through the API server. Each action may be repeated, and does nothing to another Pod. */
export class PodActions {
  readonly #props: PodActionsProps;

  constructor(props: PodActionsProps) {
    this.#props = props;
  }

  /** Makes the Pod, or takes the one of its name that is there already. @throws KubeError */
  async make(desired: JobDesire): Promise<void> {
    const { client, cluster, onlyPool, wayOut, keepPod } = this.#props;
    const { namespace } = desired.spec.pod;
    const { pull } = desired.spec;
    if (pull !== undefined) {
      // Applied for each job, so that the one that is there never ends before a Pod has its image.
      const secret = `/api/v1/namespaces/${namespace}/secrets/${pullSecretName(pull)}`;
      await client.apply(secret, pullSecret(namespace, pull));
    }
    await provideFiles(client, this.#props.fileVolume, desired.spec.pod);
    try {
      const path = `/api/v1/namespaces/${namespace}/pods`;
      keepPod(await client.create(path, podManifest(desired, cluster, onlyPool, wayOut)));
    } catch (error) {
      if (!isKubeError(error, 409)) throw error;
      keepPod(await client.get(pathOf(desired)));
    }
  }

  /** Makes what the Pod has of secrets. One that is there already is of this Pod too: its name has the run. @throws KubeError */
  async giveSecrets(pod: Pod, desired: JobDesire): Promise<void> {
    for (const manifest of secretManifests(desired, pod.metadata.uid)) {
      try {
        await this.#props.client.create(`/api/v1/namespaces/${desired.spec.pod.namespace}/secrets`, manifest);
      } catch (error) {
        if (!isKubeError(error, 409)) throw error;
      }
    }
  }

  /** Whether the API server has the Pod, which is then kept. @throws KubeError */
  async isThere(desired: JobDesire): Promise<boolean> {
    try {
      this.#props.keepPod(await this.#props.client.get(pathOf(desired)));
      return true;
    } catch (error) {
      if (!isKubeError(error, 404)) throw error;
      return false;
    }
  }

  /** Ends the container and keeps the Pod, whose log is still to be read: a deadline that is over. */
  async stop(pod: Pod): Promise<void> {
    if (hasEnded(pod) || pod.metadata.deletionTimestamp !== undefined) return;
    if (pod.spec.nodeName === undefined) {
      // No kubelet has it, so nothing would end it, and it has no log. The API server refuses where it was bound meanwhile.
      const { uid, resourceVersion } = pod.metadata;
      await this.#deleteIf(pod, { preconditions: { uid, resourceVersion } });
      return;
    }
    if (pod.spec.activeDeadlineSeconds === 1) return;
    const answer = await this.#unlessGone(() =>
      this.#props.client.patch(pathOf(pod), {
        metadata: { uid: pod.metadata.uid },
        spec: { activeDeadlineSeconds: 1 },
      }),
    );
    if (answer !== undefined) this.#props.keepPod(answer);
  }

  /** The scheduler ends a job whose life-span is over; well after that, this does. */
  async endOvertime(pod: Pod, desired: JobDesire): Promise<void> {
    const limit = desired.spec.pod.maxRunTimeSeconds;
    const started = pod.status.containerStatuses.find(({ name }) => name === CONTAINER)?.state.running?.startedAt;
    if (limit === null || started == null) return;
    if (Date.now() - Date.parse(started) > limit * 1000 + OVERTIME_MS) await this.stop(pod);
  }

  /** Deletes the Pod, and by force where it is still there after a minute. */
  async delete(pod: Pod): Promise<void> {
    const { uid, deletionTimestamp } = pod.metadata;
    const stuck = deletionTimestamp !== undefined && Date.now() - Date.parse(deletionTimestamp) > FORCE_MS;
    if (deletionTimestamp !== undefined && !stuck) return;
    await this.#deleteIf(pod, { preconditions: { uid }, ...(stuck ? { gracePeriodSeconds: 0 } : {}) });
  }

  async #deleteIf(pod: Pod, options: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#unlessGone(() =>
      this.#props.client.delete(pathOf(pod), { apiVersion: 'v1', kind: 'DeleteOptions', ...options }),
    );
  }

  /** Undefined where the Pod is no longer there, or another: the watch will tell. */
  async #unlessGone(call: () => Promise<unknown>): Promise<unknown> {
    try {
      return await call();
    } catch (error) {
      if (isKubeError(error, 404) || isKubeError(error, 409)) return undefined;
      throw error;
    }
  }
}

function pathOf(of: Pod | JobDesire): string {
  return 'metadata' in of
    ? `/api/v1/namespaces/${of.metadata.namespace ?? ''}/pods/${of.metadata.name}`
    : `/api/v1/namespaces/${of.spec.pod.namespace}/pods/${of.id}`;
}
