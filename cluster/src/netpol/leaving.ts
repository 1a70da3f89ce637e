import type { Assignment } from './addresses.ts';
import type { PodFacts } from './facts.ts';

/** How long a Pod that the API no longer shows keeps its rules while nobody tells of its sandbox's end. */
const LIMIT_MS = 10 * 60_000;

/**
 * Pods that were deleted by force: the API shows them no more, and their containers still run or end. Until the gate
 * takes the sandbox back, such a Pod keeps its address and its rules. Else the last packets of its connections would be
 * dropped, and who is at the other end would wait for minutes for a Pod that is gone.
 */
export class LeavingPods {
  /** By uid: Pods with a sandbox here, as they were last seen. */
  readonly #seen = new Map<string, { readonly pod: PodFacts; readonly last: number }>();

  /**
   * @param pods what the API shows
   * @param assignments what the gate said and has not taken back
   * @param now milliseconds of a clock that only rises
   * @returns Pods that leave
   */
  update(pods: Iterable<PodFacts>, assignments: Iterable<Assignment>, now: number): readonly PodFacts[] {
    const shown = new Map([...pods].map((pod) => [pod.uid, pod]));
    const here = new Set([...assignments].map(({ uid }) => uid));
    for (const uid of here) {
      const pod = shown.get(uid);
      if (pod !== undefined) this.#seen.set(uid, { pod, last: now });
    }
    for (const [uid, { last }] of this.#seen) {
      if (!here.has(uid) || now - last > LIMIT_MS) this.#seen.delete(uid);
    }
    return [...this.#seen.values()].map(({ pod }) => pod).filter(({ uid }) => !shown.has(uid));
  }
}

/** Beyond the grace of its containers, for the kubelet to hear of it and the last packets to come. */
const SLACK_MS = 30_000;

/**
 * The same Pods, of other nodes. Nobody tells here when their sandbox ends: each leaves for the grace of its containers and
 * half a minute, ten minutes at most, and no longer than its address is nobody else's.
 */
export class LeavingElsewhere {
  readonly #isLocal: (ip: string) => boolean;
  /** By uid: Pods that the API showed when it was asked last. */
  #shown: ReadonlyMap<string, PodFacts> = new Map();
  readonly #leaving = new Map<string, { readonly pod: PodFacts; readonly until: number }>();

  /** @param isLocal whether an address is of this node's Pods */
  constructor(isLocal: (ip: string) => boolean) {
    this.#isLocal = isLocal;
  }

  /** How many leave, as far as is known. */
  get size(): number {
    return this.#leaving.size;
  }

  /**
   * @param pods what the API shows
   * @param now milliseconds of a clock that only rises
   * @returns Pods that leave, each with an address
   */
  update(pods: Iterable<PodFacts>, now: number): readonly PodFacts[] {
    const shown = new Map([...pods].map((pod) => [pod.uid, pod]));
    for (const [uid, pod] of this.#shown) {
      if (shown.has(uid) || pod.hostNetwork || pod.finished || pod.ip === undefined || this.#isLocal(pod.ip)) continue;
      this.#leaving.set(uid, { pod, until: now + Math.min(pod.graceSeconds * 1_000 + SLACK_MS, LIMIT_MS) });
    }
    this.#shown = shown;
    const taken = new Set([...shown.values()].filter(({ finished }) => !finished).map(({ ip }) => ip ?? ''));
    for (const [uid, { pod, until }] of this.#leaving) {
      if (now > until || shown.has(uid) || taken.has(pod.ip ?? '')) this.#leaving.delete(uid);
    }
    return [...this.#leaving.values()].map(({ pod }) => pod);
  }
}
