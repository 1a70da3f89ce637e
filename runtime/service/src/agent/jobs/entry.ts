import { type JobDesire, type PodObservation, podlessObservation } from '@delos/core';
import type { Pod } from './pod-shape.ts';

/** What is known of one job. */
export interface Entry {
  readonly jobId: string;
  desired: JobDesire | undefined;
  pod: Pod | undefined;
  /** The Pod that was seen last, for as long as the job is desired. */
  seen: { readonly uid: string; readonly run: number } | undefined;
  told: { readonly seq: number; readonly text: string; readonly observation: PodObservation } | undefined;
  acked: boolean;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  pullFailingSince: number | undefined;
  /** The run whose Pod has its secrets. */
  secretsOf: number | undefined;
}

export function newEntry(jobId: string): Entry {
  return {
    jobId,
    desired: undefined,
    pod: undefined,
    seen: undefined,
    told: undefined,
    acked: false,
    failures: 0,
    retry: undefined,
    pullFailingSince: undefined,
    secretsOf: undefined,
  };
}

export function isEnd(observation: PodObservation): boolean {
  return observation.phase === 'succeeded' || observation.phase === 'failed';
}

/** The uid of the Pod that was seen in the run that is desired. */
export function seenUid({ seen, desired }: Entry): string | undefined {
  return seen?.run === desired?.spec.run ? seen?.uid : undefined;
}

/** What is told of a job that has no Pod. */
export const nothing = ({ desired }: Entry): PodObservation => podlessObservation(desired?.spec.run ?? 0);

const brings = ({ spec }: JobDesire): boolean => spec.secretValues !== undefined || spec.registryAuth !== undefined;

/** Whether its Pod still waits for secrets from here: what the kubelet says of it meanwhile is no news. */
export const lacksSecrets = ({ desired, secretsOf }: Entry): boolean =>
  desired !== undefined && brings(desired) && secretsOf !== desired.spec.run;

/** Values that the cluster has are kept here no longer. */
export function dropSecrets(entry: Entry): void {
  const { desired } = entry;
  if (desired === undefined || !brings(desired) || lacksSecrets(entry)) return;
  const { secretValues: _values, registryAuth: _auth, ...spec } = desired.spec;
  entry.desired = { ...desired, spec };
}
