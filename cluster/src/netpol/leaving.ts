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
