import { expectedLossPlacement } from '@delos/placement';
import { CORE_PLACEMENTS, type Placements, placementsOf } from '@delos/scheduling';

/** The placement policies that workloads and snapshots may name in a simulation: the core's own and that of the packing room. */
export const PLACEMENTS: Placements = placementsOf([...CORE_PLACEMENTS.values(), expectedLossPlacement]);
