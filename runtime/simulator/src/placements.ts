import { expectedLossPlacement } from '@delos/placement';
import { registerPlacement } from '@delos/scheduling';

// Workloads may name every placement that there is.
registerPlacement(expectedLossPlacement);
