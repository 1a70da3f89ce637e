import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { type PlacementOptions, simulatePlacement } from './placement.ts';
import { type SnapshotOptions, simulateSnapshot } from './snapshot.ts';
import { simulateWorkload, type WorkloadOptions } from './workload.ts';

export type SimulateOptions = PlacementOptions & WorkloadOptions & SnapshotOptions;

/** Schedules on paper, with the same code as the service. The files that are given say what is asked for. */
export async function run(context: CommandContext, options: SimulateOptions): Promise<void> {
  const asked = [
    ...(options.nodes === undefined && options.pods === undefined ? [] : ['--nodes, --pods']),
    ...(options.workload === undefined ? [] : ['--workload']),
    ...(options.snapshot === undefined ? [] : ['--snapshot']),
  ];
  if (asked.length > 1) {
    throw new DelosError('ERR_USAGE', `${asked.join(' and ')} are different questions`, { hint: 'ask one at a time' });
  }
  if (options.html !== undefined && options.workload === undefined) {
    throw new DelosError('ERR_USAGE', '--html writes the report of a workload', { hint: 'add --workload FILE' });
  }
  if (options.snapshot !== undefined) await simulateSnapshot(context, options.snapshot);
  else if (options.workload !== undefined) await simulateWorkload(context, options.workload, options.html);
  else await simulatePlacement(context, options);
}
