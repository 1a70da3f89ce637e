import { expectedLossPlacement } from '../packing/index.ts';
import { registerPlacement } from '../scheduling/index.ts';

// Workloads may name every placement that there is.
registerPlacement(expectedLossPlacement);
