import type { CommandContext } from '../context.ts';
import { type PlacementOptions, simulatePlacement } from './simulate-placement.ts';

export type SimulateOptions = PlacementOptions;

/** Schedules on paper, with the very code of the service: what is asked for follows from the files that are given. */
export async function run(context: CommandContext, options: SimulateOptions): Promise<void> {
  await simulatePlacement(context, options);
}
