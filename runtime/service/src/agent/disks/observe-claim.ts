import type { ClaimObservation } from '@delos/core';
import type { Claim, ClaimEvent } from './claim-shape.ts';

/** What the agent knows beside the claim itself. */
export interface ClaimContext {
  /** The newest event about a claim that is not bound. */
  readonly event: ClaimEvent | undefined;
  /** Nodes that its volume can be mounted on; null: any, as far as is known. */
  readonly nodes: string[] | null;
  readonly usedBytes: number | null;
}

/** A disk's claim as the control plane is told of it. */
export function observeClaim(claim: Claim, { event, nodes, usedBytes }: ClaimContext): ClaimObservation {
  const told = (phase: ClaimObservation['phase'], description: string | null): ClaimObservation => ({
    claimUid: claim.metadata.uid,
    phase,
    description,
    nodes,
    usedBytes,
  });
  if (claim.metadata.deletionTimestamp !== undefined) {
    return told('broken', 'it is being deleted from outside: what is on it goes');
  }
  switch (claim.status.phase) {
    case 'Bound':
      return told('ready', null);
    case 'Lost':
      return told('broken', 'its volume is gone: it was deleted from outside');
    default:
      return told(...unbound(event));
  }
}

/** kube-controller-manager's and provisioners' words about a claim without a volume. */
function unbound(event: ClaimEvent | undefined): readonly [ClaimObservation['phase'], string | null] {
  const words = event === undefined ? '' : clip(event.message);
  switch (event?.reason) {
    case 'WaitForFirstConsumer':
    case 'WaitForPodScheduled':
      return ['ready', 'its volume is made where the first job with it runs'];
    case 'ProvisioningFailed':
      return ['broken', `its volume could not be made: ${words}`];
    case 'FailedBinding':
      return [
        'broken',
        `the cluster has no StorageClass for it (${words}); the administrator sets disks.storageClass in delos.yaml`,
      ];
    default:
      return ['pending', 'its volume is being made'];
  }
}

/** The newest of several events. */
export function newestEvent(events: readonly ClaimEvent[]): ClaimEvent | undefined {
  const at = ({ lastTimestamp, eventTime, metadata }: ClaimEvent): number =>
    Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '') || 0;
  return events.toSorted((a, b) => at(b) - at(a))[0];
}

function clip(message: string): string {
  // Provisioners name the claim first: `failed to provision volume with StorageClass "x": rpc error: …`.
  const text = message.replace(/^failed to provision volume with StorageClass "[^"]*": /, '');
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}
