import type { Policy } from '../policy.ts';
import { bestfit } from './bestfit.ts';
import { expectedLoss } from './default.ts';
import { fgd } from './fgd.ts';
import { random } from './random.ts';

/** Every policy, from the floor to ours. */
export const POLICIES: readonly Policy[] = [random, bestfit, fgd, expectedLoss];
