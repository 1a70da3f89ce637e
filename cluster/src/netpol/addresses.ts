import type { AddressedPod, PodFacts } from './facts.ts';

/** What the CNI gate said: this sandbox of this Pod has this address. It is the truth; the API's status lags behind. */
export interface Assignment {
  readonly container: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  /** Rises with each; where two sandboxes claim an address, the later is right. */
  readonly order: number;
}

/**
 * Whose address is whose. An assignment beats every status; an address that the gate took back is not believed of that
 * Pod again; of two statuses the younger Pod's wins. Without an address of its own a Pod is left out.
 */
export function addressPods(
  pods: Iterable<PodFacts>,
  assignments: Iterable<Assignment>,
  released: ReadonlySet<string>,
): readonly AddressedPod[] {
  const byUid = new Map<string, Assignment>();
  const byAddress = new Map<string, Assignment>();
  for (const assignment of [...assignments].sort((a, b) => a.order - b.order)) {
    byUid.set(assignment.uid, assignment);
    byAddress.set(assignment.ip, assignment);
  }
  const owners = new Map<string, PodFacts>();
  for (const pod of pods) {
    if (pod.hostNetwork || pod.finished) continue;
    const assigned = byUid.get(pod.uid);
    const ip = assigned?.ip ?? pod.ip;
    if (ip === undefined) continue;
    const holder = byAddress.get(ip);
    if (holder !== undefined && holder.uid !== pod.uid) continue;
    if (assigned === undefined && released.has(releaseKey(pod.uid, ip))) continue;
    const rival = owners.get(ip);
    if (rival !== undefined && rival.created >= pod.created) continue;
    owners.set(ip, pod);
  }
  return [...owners].map(([ip, { namespace, name, labels, ports }]) => ({ namespace, name, labels, ports, ip }));
}

export function releaseKey(uid: string, ip: string): string {
  return `${uid} ${ip}`;
}
