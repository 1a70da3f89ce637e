import type { Kind, ReportOf } from '@delos/core';
import type { DesireSource } from './desire-source.ts';
import { desiredDisks } from './desired-disks.ts';
import { desiredJobs } from './desired-jobs.ts';
import type { Tx } from './schema.ts';

/** Every kind of desire: one file and one line. */
export const DESIRED: { readonly [K in Kind]: DesireSource<K> } = {
  job: desiredJobs,
  disk: desiredDisks,
};

/** Writes down what an agent reports of one thing. */
export function recordReport<K extends Kind>(
  tx: Tx,
  { cluster, kind, report }: { readonly cluster: string; readonly kind: K; readonly report: ReportOf<K> },
): Promise<void> {
  return DESIRED[kind].record(tx, cluster, report);
}
