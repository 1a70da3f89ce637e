import type { KubeEvent } from './pod-shape.ts';

const JOB = /^job-[0-9a-f-]{36}$/;
const KEPT = 10_000;

/** The kubelet's and scheduler's last words about each job's Pod. */
export class PodEvents {
  readonly #last = new Map<string, KubeEvent>();

  /** Leaves out events of Pods that are no jobs. */
  read(event: KubeEvent | undefined): KubeEvent | undefined {
    return event !== undefined && JOB.test(event.involvedObject.name) ? event : undefined;
  }

  /** @returns true where it is newer than what was known */
  put(event: KubeEvent): boolean {
    const { uid } = event.involvedObject;
    const known = this.#last.get(uid);
    if (known !== undefined && versionOf(known) >= versionOf(event)) return false;
    this.#last.delete(uid);
    this.#last.set(uid, event);
    const oldest = this.#last.keys().next().value;
    if (this.#last.size > KEPT && oldest !== undefined) this.#last.delete(oldest);
    return true;
  }

  lastOf(podUid: string): { readonly reason: string; readonly message: string } | undefined {
    return this.#last.get(podUid);
  }
}

/** Resource versions of one resource grow with time. */
function versionOf(event: KubeEvent): number {
  return Number(event.metadata.resourceVersion) || 0;
}
